import Addressing
import Glibc
import KernelInterface

/// The simulated host as a value: its namespaces and what connects them.
struct FakeHost {
    var own = FakeNamespace()
    var namespaces: [NamespaceName: FakeNamespace] = [:]
    /// Names in /run/netns that nothing is mounted on.
    var broken: Set<NamespaceName> = []
    var announcements: [LinkAddress] = []

    func read(_ name: NamespaceName?) throws(KernelError) -> FakeNamespace {
        guard let name else { return own }
        if broken.contains(name) { throw KernelError(code: EINVAL, "\(name) is not a namespace") }
        guard let namespace = namespaces[name] else { throw KernelError(code: ENOENT, "no namespace \(name)") }
        return namespace
    }

    private mutating func change<Result>(
        _ name: NamespaceName?, _ body: (inout FakeNamespace) throws(KernelError) -> Result
    ) throws(KernelError) -> Result {
        var namespace = try read(name)
        let result = try body(&namespace)
        if let name { namespaces[name] = namespace } else { own = namespace }
        return result
    }

    mutating func perform(_ operation: KernelOperation) throws(KernelError) {
        switch operation {
        case .addNamespace(let name):
            if namespaces[name] != nil || broken.contains(name) { throw KernelError(code: EEXIST, "namespace \(name) exists") }
            namespaces[name] = .fresh
        case .removeNamespace(let name): try removeNamespace(name)
        case .addLink(let link, let place): try add(link, place)
        case .removeLink(let name, let place): try removeLink(name, place)
        case .changeLink(let link, let place): try change(place) { space throws(KernelError) in try space.change(link) }
        case .setSysctl(let path, let value, let place):
            try change(place) { space throws(KernelError) in try space.setSysctl(path, value) }
        case .addAddress(let address, let place): try change(place) { space throws(KernelError) in try space.add(address) }
        case .removeAddress(let address, let place): try change(place) { space throws(KernelError) in try space.remove(address) }
        case .setRoute(let route, let place): try change(place) { space throws(KernelError) in try space.set(route) }
        case .removeRoute(let route, let place): try change(place) { space throws(KernelError) in try space.remove(route) }
        case .addRule(let rule, let place): try change(place) { space throws(KernelError) in try space.add(rule) }
        case .removeRule(let rule, let place): try change(place) { space throws(KernelError) in try space.remove(rule) }
        case .addForwarding(let entry, let place): try change(place) { space throws(KernelError) in try space.add(entry) }
        case .removeForwarding(let entry, let place): try change(place) { space throws(KernelError) in try space.remove(entry) }
        case .setNeighbour(let neighbour, let place): try change(place) { space throws(KernelError) in try space.set(neighbour) }
        case .removeNeighbour(let neighbour, let place): try change(place) { space throws(KernelError) in try space.remove(neighbour) }
        case .applyFirewall(let script, let place): try change(place) { space throws(KernelError) in try space.ruleset.run(script) }
        case .announce(let address, let place):
            _ = try read(place).require(address.link)
            guard try read(place).addresses[address.link]?.contains(address.address) == true else {
                throw KernelError(code: EADDRNOTAVAIL, "\(address.address) is not on \(address.link)")
            }
            announcements.append(address)
        }
    }

    private mutating func add(_ link: Link, _ place: NamespaceName?) throws(KernelError) {
        let space = try read(place)
        if space.links[link.name] != nil { throw KernelError(code: EEXIST, "\(link.name) exists") }
        try space.requireBridge(link)
        switch link.kind {
        case .foreign:
            throw KernelError(code: EOPNOTSUPP, "\(link.name) is foreign: somebody else makes it")
        case .bridge:
            break
        case .vxlan(let vni, _, let port, _):
            let isTaken = space.links.values.contains { other in
                if case .vxlan(vni, _, port, _) = other.kind { true } else { false }
            }
            if isTaken { throw KernelError(code: EEXIST, "VNI \(vni) exists on port \(port)") }
        case .vlan(let parent, let id):
            _ = try space.require(parent)
            let isTaken = space.links.values.contains { $0.kind == .vlan(parent: parent, id: id) }
            if isTaken { throw KernelError(code: EEXIST, "VLAN \(id) exists on \(parent)") }
        case .veth(let peer, let peerPlace):
            if try read(peerPlace).links[peer] != nil { throw KernelError(code: EEXIST, "\(peer) exists") }
            let end = Link(name: peer, kind: .veth(peer: link.name, peerNamespace: place), isUp: false)
            try insert(end, peerPlace)
        }
        try insert(link, place)
    }

    /// Puts a link there with what the kernel chooses where nothing was chosen.
    mutating func insert(_ link: Link, _ place: NamespaceName?) throws(KernelError) {
        var made = link
        made.mac = link.mac ?? Self.chosenMAC(link.name, place)
        made.mtu = link.mtu ?? 1500
        try change(place) { space throws(KernelError) in space.insert(made, hasMAC: link.mac != nil) }
    }

    /// The MAC that this kernel gives a device: always the same for the same name, so that hosts can be compared.
    static func chosenMAC(_ name: String, _ place: NamespaceName?) -> MACAddress {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in ((place?.description ?? "") + "/" + name).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return MACAddress(rawValue: 0x0200_0000_0000 | hash & 0xff_ffff_ffff)
    }

    mutating func removeLink(_ name: String, _ place: NamespaceName?) throws(KernelError) {
        let link = try read(place).require(name)
        try change(place) { space throws(KernelError) in space.drop(name) }
        // The peer goes too; its namespace may be a broken one, or none that has a name.
        guard case .veth(let peer, let peerPlace) = link.kind, (try? read(peerPlace)) != nil else { return }
        try change(peerPlace) { space throws(KernelError) in space.drop(peer) }
    }

    private mutating func removeNamespace(_ name: NamespaceName) throws(KernelError) {
        if broken.remove(name) != nil { return }
        for link in try read(name).links.keys { try removeLink(link, name) }
        namespaces[name] = nil
    }
}
