import Addressing
import CLinux
import Glibc
import KernelInterface

extension LinuxKernel {
    public func namespaces() throws(KernelError) -> Set<NamespaceName> {
        let names = try NamespaceRegistry.names()
        handles.keep(only: names)
        return names
    }

    public func addresses(in namespace: NamespaceName?) throws(KernelError) -> Set<LinkAddress> {
        let socket = try handles.handle(namespace).route
        let found = try attempt("list addresses\(place(namespace))") { () throws(NetlinkError) in
            try socket.dump(AddressMessages.dump(), AddressMessages.parse)
        }
        var names = LinkNames(socket)
        return Set(found.compactMap { entry in names[entry.index].map { LinkAddress(link: $0, address: entry.address) } })
    }

    public func routes(in namespace: NamespaceName?) throws(KernelError) -> Set<Route> {
        let socket = try handles.handle(namespace).route
        var names = LinkNames(socket)
        var routes: Set<Route> = []
        for version in [IPVersion.v4, .v6] {
            let found = try attempt("list routes\(place(namespace))") { () throws(NetlinkError) in
                try socket.dumpIfThere(RouteMessages.dump(version), RouteMessages.parse).filter { $0.table == Route.mainTable }
                    + socket.dumpIfThere(RouteMessages.dumpOfOurs(version), RouteMessages.parse).filter { $0.table != Route.mainTable }
            }
            for entry in found {
                let hops = entry.hops.compactMap { hop in
                    names[hop.index].map { Route.NextHop(gateway: hop.gateway, link: $0) }
                }
                guard hops.count == entry.hops.count else { continue }
                var route = Route(destination: entry.destination, nextHops: hops)
                route.table = entry.table
                routes.insert(route)
            }
        }
        return routes
    }

    public func rules(in namespace: NamespaceName?) throws(KernelError) -> Set<RoutingRule> {
        let socket = try handles.handle(namespace).route
        var rules: Set<RoutingRule> = []
        for version in [IPVersion.v4, .v6] {
            rules.formUnion(
                try attempt("list rules\(place(namespace))") { () throws(NetlinkError) in
                    try socket.dumpIfThere(RuleMessages.dump(version), RuleMessages.parse)
                })
        }
        return rules
    }

    public func forwardingEntries(in namespace: NamespaceName?) throws(KernelError) -> Set<ForwardingEntry> {
        let socket = try handles.handle(namespace).route
        let found = try attempt("list forwarding entries\(place(namespace))") { () throws(NetlinkError) in
            try socket.dump(NeighbourMessages.forwardingDump(), NeighbourMessages.parseForwarding)
        }
        var names = LinkNames(socket)
        var entries: Set<ForwardingEntry> = []
        for entry in found {
            guard let link = names[entry.index] else { continue }
            if let remote = entry.remote {
                entries.insert(.tunnel(mac: entry.mac, link: link, remote: remote))
            } else {
                entries.insert(.bridgePort(mac: entry.mac, link: link))
            }
        }
        return entries
    }

    public func neighbours(in namespace: NamespaceName?) throws(KernelError) -> Set<Neighbour> {
        let socket = try handles.handle(namespace).route
        var names = LinkNames(socket)
        var neighbours: Set<Neighbour> = []
        for version in [IPVersion.v4, .v6] {
            let found = try attempt("list neighbours\(place(namespace))") { () throws(NetlinkError) in
                try socket.dump(NeighbourMessages.dump(version), NeighbourMessages.parse)
            }
            for entry in found {
                guard let link = names[entry.index] else { continue }
                neighbours.insert(Neighbour(address: entry.address, mac: entry.mac, link: link))
            }
        }
        return neighbours
    }

    public func sysctl(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String {
        try SystemControls.read(path, in: namespace)
    }

    public func sysctls(_ paths: [String], in namespace: NamespaceName?) throws(KernelError) -> [String: String] {
        try SystemControls.read(paths, in: namespace)
    }

    public func firewallTables(in namespace: NamespaceName?) throws(KernelError) -> Set<String> {
        let socket = try handles.handle(namespace).netfilter()
        return Set(
            try attempt("list nftables tables\(place(namespace))") { () throws(NetlinkError) in
                try socket.dump(FirewallMessages.tableDump(), FirewallMessages.parseTable)
            })
    }

    public func firewallContents(in namespace: NamespaceName?) throws(KernelError) -> [String: FirewallContents] {
        let socket = try handles.handle(namespace).netfilter()
        let parts = try attempt("list what is in nftables tables\(place(namespace))") { () throws(NetlinkError) in
            try socket.dump(FirewallMessages.chainDump(), FirewallMessages.parseChain)
                + socket.dump(FirewallMessages.setDump(), FirewallMessages.parseSet)
                + socket.dump(FirewallMessages.objectDump(), FirewallMessages.parseObject)
        }
        var contents: [String: FirewallContents] = [:]
        for part in parts {
            switch part {
            case .chain(let name, let hasHook, let table): contents[table, default: FirewallContents()].chains[name] = hasHook
            case .set(let name, let form, let table): contents[table, default: FirewallContents()].sets[name] = form
            case .object(let name, let kind, let table): contents[table, default: FirewallContents()].objects[name] = kind
            }
        }
        return contents
    }

    public func firewallGeneration(in namespace: NamespaceName?) throws(KernelError) -> UInt32 {
        let socket = try handles.handle(namespace).netfilter()
        let action = "read the nftables generation\(place(namespace))"
        let generation = try attempt(action) { () throws(NetlinkError) in
            try socket.get(FirewallMessages.generation(), FirewallMessages.parseGeneration)
        }
        guard let generation else { throw KernelError(EPROTO, action) }
        return generation
    }
}

/// Names of links by index, each asked for once.
private struct LinkNames {
    private let socket: NetlinkSocket
    private var known: [Int32: String?] = [:]

    init(_ socket: NetlinkSocket) { self.socket = socket }

    /// Nil for a link that went since the dump.
    subscript(index: Int32) -> String? {
        mutating get {
            if let name = known[index] { return name }
            let name = socket.nameOfLink(index)
            known[index] = .some(name)
            return name
        }
    }
}

extension NetlinkSocket {
    /// A dump whose table the kernel only makes with its first entry (a routing table): none is empty.
    fileprivate func dumpIfThere<Value>(_ message: NetlinkMessage, _ parse: (NetlinkReply) -> Value?) throws(NetlinkError) -> [Value] {
        do throws(NetlinkError) {
            return try dump(message, parse)
        } catch {
            guard error.code == ENOENT || error.code == EAFNOSUPPORT else { throw error }
            return []
        }
    }
}
