// Package deploy has no code: it holds what is deployed to its word, in tests.
//
// What is deployed speaks of the service in names: metrics and labels in the dashboard, the alerts and the READMEs, variables of the
// environment in the chart and the compose file, commands in the runbook. The tests here start a service and compare, so that a
// name that changes there is found here. They need Go and nothing else.
//
// With the build tag deployment (make deployment) they also run the tools that users do: helm renders the chart with each value set of
// helm/pulse-scorer/ci, and promtool evaluates every query of the dashboard on what the running service has exposed.
package deploy
