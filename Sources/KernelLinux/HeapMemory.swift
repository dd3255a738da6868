import CLinux

/// How the C library keeps the memory that this process has given back (mallopt(3)).
public enum HeapMemory {
    /// glibc makes up to eight arenas for each processor, each of which keeps its own free memory.
    private static let maximumArenas: Int32 = 2
    /// glibc raises both limits, up to 32 MB and twice that, to what the largest block had that was ever given back: a script that fills a firewall
    /// is some MB. What both are set to stays.
    private static let limitBytes: Int32 = 128 * 1024

    /// For a process that lives long and works in bursts: free memory at the ends of arenas goes back to the kernel by itself.
    public static func giveBackEarly() { clinux_bound_heap(maximumArenas, limitBytes) }

    /// Free pages between others go back as well. Walks the whole heap.
    public static func giveBackNow() { clinux_trim_heap() }
}
