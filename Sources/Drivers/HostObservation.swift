import Addressing
import KernelInterface

/// What was found in one namespace.
public struct NamespaceObservation: Hashable, Sendable {
    /// By name; foreign ones included.
    public var links: [String: Link] = [:]
    public var addresses: Set<LinkAddress> = []
    public var routes: Set<Route> = []
    /// Ours only.
    public var rules: Set<RoutingRule> = []
    public var forwarding: Set<ForwardingEntry> = []
    public var neighbours: Set<Neighbour> = []
    /// Only the paths that the configuration names; a path that the kernel does not have is absent.
    public var sysctls: [String: String] = [:]
    /// As "family name"; foreign ones included.
    public var firewallTables: Set<String> = []
    /// Of our tables, by "family name"; empty unless somebody else may have written them.
    public var firewallContents: [String: FirewallContents] = [:]
    public var firewallGeneration: UInt32?

    public init() {}

    /// What the kernel puts into a namespace that was just made.
    static var fresh: NamespaceObservation {
        var observation = NamespaceObservation()
        observation.links["lo"] = Link(name: "lo", kind: .foreign)
        observation.firewallGeneration = FirewallMark.freshGeneration
        return observation
    }

    /// What must be found after `configuration` was realised without a failure, while the links in `missing` did not exist.
    static func expected(after configuration: NamespaceConfiguration, missing: Set<String>, generation: UInt32?) -> NamespaceObservation {
        var result = NamespaceObservation()
        result.firewallTables = Set(configuration.firewall.map(\.identity))
        result.firewallGeneration = generation
        // The same storage: what is compared next time is equal at once.
        result.links = configuration.links
        result.addresses = configuration.addresses
        result.routes = configuration.routes
        result.rules = configuration.rules
        result.forwarding = configuration.forwarding
        result.neighbours = configuration.neighbours
        result.sysctls = configuration.sysctls
        if missing.isEmpty { return result }
        result.links = configuration.links.filter { !missing.contains($0.key) }
        result.addresses = configuration.addresses.filter { !missing.contains($0.link) }
        result.routes = configuration.routes.filter { route in route.nextHops.allSatisfy { !missing.contains($0.link) } }
        result.forwarding = configuration.forwarding.filter { !missing.contains($0.link) }
        result.neighbours = configuration.neighbours.filter { !missing.contains($0.link) }
        result.sysctls = configuration.sysctls.filter { path, _ in Sysctl.link(of: path).map { !missing.contains($0) } ?? true }
        return result
    }
}

/// What was found on a host.
public struct HostObservation: Hashable, Sendable {
    /// Every namespace that exists, foreign ones included.
    public var namespaces: Set<NamespaceName> = []
    /// Namespaces that exist by name and cannot be entered (a file in /run/netns that nothing is mounted on, as a crash leaves it).
    public var broken: Set<NamespaceName> = []
    /// The namespaces that were looked into (nil: the agent's own). The plan leaves the others alone.
    public var contents: [NamespaceName?: NamespaceObservation] = [:]

    public init() {}
}

/// Sysctls as the plan sees them.
enum Sysctl {
    /// By which packets on bridges pass connection tracking. They are the namespace's, and others change them.
    static let ofBridges = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"]

    /// The link that a path is about (`net/ipv6/conf/LINK/…`, `net/ipv4/neigh/LINK/…`): it exists only as long as the link does.
    static func link(of path: String) -> String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 5, parts[0] == "net", parts[1] == "ipv4" || parts[1] == "ipv6", parts[2] == "conf" || parts[2] == "neigh",
            parts[3] != "all", parts[3] != "default"
        else { return nil }
        return String(parts[3])
    }

    /// What the wanted value is the least of: more memory is the choice of whoever runs the host, and stays, whenever it was made.
    private static let floors: Set<String> = [
        "net/ipv4/ipfrag_high_thresh", "net/netfilter/nf_conntrack_frag6_high_thresh", "net/ipv4/neigh/default/gc_thresh2",
        "net/ipv4/neigh/default/gc_thresh3", "net/ipv6/neigh/default/gc_thresh2", "net/ipv6/neigh/default/gc_thresh3",
    ]

    /// Whether a setting that was found needs no change.
    static func isKept(_ path: String, as found: String, _ wanted: String) -> Bool {
        if same(found, wanted) { return true }
        guard floors.contains(path), let now = Int(found.filter { !$0.isWhitespace }), let least = Int(wanted) else { return false }
        return now > least
    }

    /// The kernel separates the numbers of a list by tabs and ends with a line feed, whatever was written.
    static func same(_ left: String, _ right: String) -> Bool {
        left == right || left.split(whereSeparator: \.isWhitespace) == right.split(whereSeparator: \.isWhitespace)
    }
}

extension FirewallTable {
    /// "family name": what is unique within a namespace.
    var identity: String { "\(family.rawValue) \(name)" }
}

extension ForwardingEntry {
    var link: String {
        switch self {
        case .tunnel(_, let link, _), .bridgePort(_, let link): link
        }
    }
}
