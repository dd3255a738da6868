import Glibc

/// How many neighbours (of ARP, of IPv6 neighbour discovery) the kernel keeps.
///
/// The number is the machine's, of all namespaces together: 1024 by default, for each version of IP. One that is asked for counts for three seconds and longer, whether or not it
/// answers: an instance that sends to 350 addresses a second which nobody has, of any subnet that its router has an interface on, is enough to keep the number full, and then no
/// router, DHCP server or host on the machine finds a neighbour any more. (Also without anybody's ill will 200 routers with six neighbours each have more.) With these settings it
/// takes some 40,000 a second. An entry is half a kilobyte.
public enum NeighbourMemory {
    /// From where on the kernel looks for entries to give up when another is added, and how many there are at most.
    private static let limits = ["gc_thresh2": 65536, "gc_thresh3": 131_072]

    /// By path below /proc/sys, those that can be set: in the machine's first namespace alone, and without IPv6 half of them. They are the least: what
    /// somebody made larger stays so.
    public static func settings() -> [String: String] {
        var settings: [String: String] = [:]
        for version in ["ipv4", "ipv6"] {
            for (name, limit) in limits {
                let path = "net/\(version)/neigh/default/\(name)"
                if access("/proc/sys/\(path)", W_OK) == 0 { settings[path] = "\(limit)" }
            }
        }
        return settings
    }
}
