// Package console is the page at / for people: what this process does now, what it did
// in the last 15 minutes, what waits and why, and what failed.
//
// Guarantee: nothing that senders have written leaves it without the admin token
// (TestOverview_HasNothingThatSendersWrote); its memory is bounded, whatever comes
// (TestMemory_IsBounded); the page loads nothing from elsewhere and all of it stays
// under 300 KB (TestPage_IsSmallAndAlone).
//
// Decisions:
//
//   - The page is HTML, CSS and JavaScript as they are in assets, embedded, without a
//     build step. Its policy allows no inline script, and the script makes no markup from
//     text. Style and icon are put into the document, under the style's hash, because the
//     first paint would wait for them otherwise (TestPage_IsPaintedFromOneAnswer); figures
//     and plots are drawn behind it.
//   - It asks GET /api/overview every two seconds (schemas/overview.v1.json), and GET
//     /api/recent (schemas/recent.v1.json) with the token for contents. Both answer from memory and never wait.
//     /api/dlq (schemas/dlq.v1.json) is for people and programs that want the dead letters
//     alone: from memory too, so it is the last few of this process. The topic has all.
//   - The runbook is served from here because alerts must link to something that is there
//     wherever the service is: runbook.html is made of the chart's RUNBOOK.md by go generate.
//   - The record path shows each committed batch (pipeline.Watcher): counts, and the
//     first few results and dead letters. What is kept here is a ring of each.
//   - History is what the metrics said, one sample each five seconds, so that the page
//     and a dashboard agree. It begins with the process and is gone with it: for more
//     there is Prometheus.
//   - Figures are those of this process. Who owns the other tasks is asked of the group,
//     and only while somebody looks at the page.
//   - The token comes by a field of the page, or in the address behind # (which browsers
//     do not send), and is kept until the tab is closed.
package console
