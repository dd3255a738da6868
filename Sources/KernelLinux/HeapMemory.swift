import CLinux

/// How the C library keeps the memory that this process has given back (mallopt(3)).
public enum HeapMemory {
    /// glibc makes up to eight arenas for each processor, each of which keeps its own free memory.
    private static let maximumArenas: Int32 = 2
    /// glibc raises both limits, up to 32 MB and twice that, to what the largest block had that was ever given back: a script that fills a firewall
    /// is some MB. What both are set to stays.
    private static let limitBytes: Int32 = 128 * 1024

    /// For a process that lives long and works in bursts: what a burst needed goes back to the kernel. With 1,000 ports an agent holds 59 MB
    /// instead of 67, and wires them as fast.
    public static func giveBackEarly() {
        clinux_bound_heap(maximumArenas, limitBytes)
    }
}
