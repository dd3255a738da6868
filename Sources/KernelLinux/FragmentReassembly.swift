import Glibc

/// How long the kernel keeps fragments of packets that are not whole, and how many of them.
///
/// Connection tracking puts the fragments of all bridges of a host together, in one memory of 4 MiB for each version of IP, and keeps what is not whole for 30 (IPv6: 60)
/// seconds: 56 lost fragments a second of one instance are enough to keep it full, and nobody's packets in fragments pass any more. With these
/// settings it takes some 50,000 a second. What is on its way within one cloud is whole within milliseconds.
public enum FragmentReassembly {
    private static let seconds = "1"
    private static let bytes = "134217728"

    /// By path below /proc/sys.
    private static let wanted = [
        "net/ipv4/ipfrag_time": seconds, "net/ipv4/ipfrag_high_thresh": bytes,
        "net/netfilter/nf_conntrack_frag6_timeout": seconds, "net/netfilter/nf_conntrack_frag6_high_thresh": bytes,
    ]

    /// Those that this kernel has: one without IPv6 has half of them.
    public static func settings() -> [String: String] { wanted.filter { access("/proc/sys/\($0.key)", W_OK) == 0 } }
}
