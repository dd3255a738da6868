import Addressing
import Glibc
import KernelInterface

/// One simulated network namespace. Errors are those that the kernel gives.
struct FakeNamespace: Hashable {
    /// A namespace as ``NetworkKernel`` makes it: the removal of an address takes no others along.
    static let fresh: FakeNamespace = {
        var namespace = FakeNamespace()
        namespace.sysctls["net/ipv4/conf/all/promote_secondaries"] = "1"
        return namespace
    }()

    /// The loopback device is up and has only addresses of host scope.
    var links: [String: Link] = ["lo": Link(name: "lo", kind: .foreign, mtu: 65536)]
    /// By link, in the order in which they came: the first IPv4 address of a subnet is the primary one.
    var addresses: [String: [InterfaceAddress]] = [:]
    var routes: Set<Route> = []
    var rules: Set<RoutingRule> = []
    var forwarding: Set<ForwardingEntry> = []
    var neighbours: Set<Neighbour> = []
    var sysctls: [String: String] = [:]
    var ruleset = FakeRuleset()
    /// Bridges that were given a MAC; the others take the lowest one of their ports.
    var bridgesWithMAC: Set<String> = []

    func require(_ link: String) throws(KernelError) -> Link {
        guard let found = links[link] else { throw KernelError(code: ENODEV, "no such device: \(link)") }
        return found
    }

    func requireBridge(_ link: Link) throws(KernelError) {
        guard let bridge = link.bridge else { return }
        guard try require(bridge).kind == .bridge else { throw KernelError(code: EOPNOTSUPP, "\(bridge) is not a bridge") }
    }

    // MARK: Links

    mutating func change(_ link: Link) throws(KernelError) {
        var found = try require(link.name)
        try requireBridge(link)
        if found.bridge != link.bridge { forgetPort(link.name) }
        if found.isUp, !link.isUp { bringDown(link.name) }
        found.mac = link.mac ?? found.mac
        found.mtu = link.mtu ?? found.mtu
        found.alias = link.alias ?? found.alias
        found.isUp = link.isUp
        found.bridge = link.bridge
        found.bridgePort = link.bridge == nil ? BridgePortOptions() : link.bridgePort
        found.alterations = link.alterations
        links[link.name] = found
        if found.kind == .bridge, link.mac != nil { bridgesWithMAC.insert(link.name) }
        settleBridges()
    }

    mutating func insert(_ link: Link, hasMAC: Bool) {
        links[link.name] = link
        if link.kind == .bridge, hasMAC { bridgesWithMAC.insert(link.name) }
        settleBridges()
    }

    /// Bridges take the lowest MAC of their ports. A device whose MAC changes loses its neighbours, the permanent ones too.
    private mutating func settleBridges() {
        for (name, bridge) in links where bridge.kind == .bridge && !bridgesWithMAC.contains(name) {
            let mac = links.values.filter { $0.bridge == name }.compactMap(\.mac).min() ?? .zero
            if mac == bridge.mac { continue }
            links[name]?.mac = mac
            neighbours = neighbours.filter { $0.link != name }
        }
    }

    /// A bridge forgets what it knew behind a port that leaves.
    private mutating func forgetPort(_ name: String) {
        forwarding = forwarding.filter { entry in
            if case .bridgePort(_, name) = entry { false } else { true }
        }
    }

    private mutating func bringDown(_ name: String) {
        removeRoutes { $0.link == name }
        addresses[name]?.removeAll { $0.address.version == .v6 }
    }

    /// The link and all that hangs on it; its peer is the host's matter.
    mutating func drop(_ name: String) {
        links[name] = nil
        addresses[name] = nil
        removeRoutes { $0.link == name }
        neighbours = neighbours.filter { $0.link != name }
        forwarding = forwarding.filter { entry in
            switch entry {
            case .tunnel(_, name, _), .bridgePort(_, name): false
            default: true
            }
        }
        sysctls = sysctls.filter { Self.link(ofSysctl: $0.key) != name }
        for (port, link) in links where link.bridge == name {
            links[port]?.bridge = nil
            links[port]?.bridgePort = BridgePortOptions()
            forgetPort(port)
        }
        bridgesWithMAC.remove(name)
        settleBridges()
        for link in Array(links.values) {
            if case .vlan(name, _) = link.kind { drop(link.name) }
        }
    }

    // MARK: Addresses and routes

    mutating func add(_ address: LinkAddress) throws(KernelError) {
        _ = try require(address.link)
        guard addresses[address.link]?.contains(address.address) != true else {
            throw KernelError(code: EEXIST, "\(address.address) exists on \(address.link)")
        }
        addresses[address.link, default: []].append(address.address)
    }

    mutating func remove(_ address: LinkAddress) throws(KernelError) {
        _ = try require(address.link)
        let all = addresses[address.link] ?? []
        guard all.contains(address.address) else {
            throw KernelError(code: EADDRNOTAVAIL, "\(address.address) is not on \(address.link)")
        }
        let subnet = address.address.prefix
        let isPrimary = address.address.address.version == .v4 && all.first { $0.prefix == subnet } == address.address
        let takesAll = isPrimary && sysctls["net/ipv4/conf/all/promote_secondaries"] != "1"
        let kept = all.filter { takesAll ? $0.prefix != subnet : $0 != address.address }
        addresses[address.link] = kept.isEmpty ? nil : kept
        if !kept.contains(where: { $0.address.version == .v4 }) {
            let link = address.link
            routes = routes.filter { $0.destination.version == .v6 || $0.nextHops.allSatisfy { $0.link != link } }
        }
    }

    mutating func set(_ route: Route) throws(KernelError) {
        for hop in route.nextHops {
            guard try require(hop.link).isUp else { throw KernelError(code: ENETDOWN, "\(hop.link) is down") }
            if let gateway = hop.gateway, !isReachable(gateway, on: hop.link) {
                throw KernelError(code: ENETUNREACH, "gateway \(gateway) is not reachable on \(hop.link)")
            }
        }
        routes = routes.filter { $0.destination != route.destination || $0.table != route.table }
        routes.insert(route)
    }

    /// What the kernel does when a link goes: IPv6 keeps the other next hops of a route, IPv4 only those of a link that is down.
    private mutating func removeRoutes(where isGone: (Route.NextHop) -> Bool) {
        routes = routes.filter { !$0.nextHops.contains(where: isGone) }
    }

    private func isReachable(_ gateway: IPAddress, on link: String) -> Bool {
        if addresses[link]?.contains(where: { $0.prefix.contains(gateway) }) == true { return true }
        return routes.contains { $0.link == link && $0.gateway == nil && $0.destination.contains(gateway) }
    }

    mutating func remove(_ route: Route) throws(KernelError) {
        _ = try require(route.link)
        guard routes.remove(route) != nil else { throw KernelError(code: ESRCH, "no route to \(route.destination)") }
    }

    mutating func add(_ rule: RoutingRule) throws(KernelError) {
        guard rules.insert(rule).inserted else { throw KernelError(code: EEXIST, "rule \(rule.priority) exists") }
    }

    mutating func remove(_ rule: RoutingRule) throws(KernelError) {
        guard rules.remove(rule) != nil else { throw KernelError(code: ENOENT, "no rule \(rule.priority)") }
    }

    // MARK: Forwarding entries and neighbours

    mutating func add(_ entry: ForwardingEntry) throws(KernelError) {
        if forwarding.contains(entry) { throw KernelError(code: EEXIST, "the entry exists") }
        switch entry {
        case .tunnel(let mac, let name, _):
            guard case .vxlan = try require(name).kind else { throw KernelError(code: EOPNOTSUPP, "\(name) is not a tunnel") }
            // Only the flooding list has many remotes.
            forwarding = forwarding.filter { other in
                if case .tunnel(mac, name, _) = other { mac == .zero } else { true }
            }
        case .bridgePort(let mac, let name):
            guard let bridge = try require(name).bridge else { throw KernelError(code: EINVAL, "\(name) is not a port of a bridge") }
            forwarding = forwarding.filter { other in
                guard case .bridgePort(mac, let port) = other else { return true }
                return links[port]?.bridge != bridge
            }
        }
        forwarding.insert(entry)
    }

    mutating func remove(_ entry: ForwardingEntry) throws(KernelError) {
        guard forwarding.remove(entry) != nil else { throw KernelError(code: ENOENT, "no such forwarding entry") }
    }

    mutating func set(_ neighbour: Neighbour) throws(KernelError) {
        _ = try require(neighbour.link)
        neighbours = neighbours.filter { $0.link != neighbour.link || $0.address != neighbour.address }
        neighbours.insert(neighbour)
    }

    mutating func remove(_ neighbour: Neighbour) throws(KernelError) {
        guard neighbours.remove(neighbour) != nil else { throw KernelError(code: ENOENT, "no neighbour \(neighbour.address)") }
    }

    // MARK: Sysctls

    mutating func setSysctl(_ path: String, _ value: String) throws(KernelError) {
        try requireSysctl(path)
        sysctls[path] = value
    }

    func sysctl(_ path: String) throws(KernelError) -> String {
        try requireSysctl(path)
        return sysctls[path] ?? "0"
    }

    /// Sysctls that this kernel has, by their last word.
    private static let sysctlNames: Set<Substring> = [
        "accept_dad", "accept_ra", "accept_ra_mtu", "accept_ra_pinfo", "accept_redirects", "addr_gen_mode", "arp_announce", "arp_ignore",
        "arp_notify",
        "autoconf",
        "bridge-nf-call-arptables", "bridge-nf-call-ip6tables", "bridge-nf-call-iptables", "disable_ipv6", "fib_multipath_hash_policy",
        "forwarding", "gc_thresh2", "gc_thresh3", "ip_forward",
        "ip_nonlocal_bind", "ipfrag_high_thresh", "ipfrag_time", "nf_conntrack_count", "nf_conntrack_frag6_high_thresh",
        "nf_conntrack_frag6_timeout", "nf_conntrack_max", "nf_conntrack_tcp_be_liberal", "nf_conntrack_tcp_loose", "promote_secondaries",
        "proxy_arp", "rp_filter",
        "send_redirects",
    ]

    private func requireSysctl(_ path: String) throws(KernelError) {
        guard let name = path.split(separator: "/").last, Self.sysctlNames.contains(name) else {
            throw KernelError(code: ENOENT, "no such file: \(path)")
        }
        if let link = Self.link(ofSysctl: path), links[link] == nil { throw KernelError(code: ENOENT, "no such file: \(path)") }
    }

    static func link(ofSysctl path: String) -> String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 5, parts[2] == "conf" || parts[2] == "neigh", parts[3] != "all", parts[3] != "default" else { return nil }
        return String(parts[3])
    }
}
