// Package prefetch asks the processor for memory that will be read soon.
//
// A task's IDs and series lie in hundreds of megabytes, in places that hashes choose:
// nearly each look into them waits for memory, a tenth of a microsecond each time. Who
// knows a record before its turn can have those waits side by side, and beside other
// work (Chen, Ailamaki, Gibbons and Mowry, Improving Hash Join Performance through
// Prefetching, ICDE 2004: software-pipelined prefetching). The compiler has no word for
// it outside of the runtime, so it is a few lines of assembly, and nothing at all where
// there are none.
//
// A prefetch changes no memory and never faults, whatever the address: PREFETCHT0 in
// the Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2; PRFM in
// the Arm Architecture Reference Manual, C6.2. So it can cost time, and nothing else.
package prefetch
