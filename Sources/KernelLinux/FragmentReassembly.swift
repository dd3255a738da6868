import Glibc

/// How long the kernel keeps fragments of packets that are not whole, and how many of them.
///
/// Connection tracking puts the fragments of all bridges of a host together, in one memory of 4 MiB for each version of IP, and keeps what is not whole for 30 (IPv6: 60)
/// seconds: 56 lost fragments a second of one instance are enough to keep it full, and nobody's packets in fragments pass any more. With these
/// settings it takes some 50,000 a second. What is on its way within one cloud is whole within milliseconds.
public enum FragmentReassembly {
    private static let seconds = 1
    private static let bytes = 134_217_728

    private static let times = ["net/ipv4/ipfrag_time", "net/netfilter/nf_conntrack_frag6_timeout"]
    private static let sizes = ["net/ipv4/ipfrag_high_thresh", "net/netfilter/nf_conntrack_frag6_high_thresh"]

    /// By path below /proc/sys, those that this kernel has: one without IPv6 has half of them. The sizes are the least: a memory that somebody
    /// made larger stays so.
    public static func settings() -> [String: String] {
        var settings: [String: String] = [:]
        for path in times where access("/proc/sys/\(path)", W_OK) == 0 { settings[path] = "\(seconds)" }
        for path in sizes where access("/proc/sys/\(path)", W_OK) == 0 { settings[path] = "\(bytes)" }
        return settings
    }
}
