import Addressing
import HostModel
import NetworkModel
import Synchronization

/// Which instance asks: the ports of the networks that this host answers metadata for, by what a request cannot lie about (the network that it came
/// from, which the listener knows, and its source address, which bridges hold ports to).
///
/// The agent's loop tells it of changes, requests are looked up on other threads: a change costs what changed, a look-up does not wait for a
/// cycle of the agent.
public final class InstanceDirectory: Sendable {
    private let state = Mutex(InstanceIndex())

    public init() {}

    /// What one batch of the feed changed, as a whole.
    public func apply(_ messages: some Sequence<FeedMessage>) {
        state.withLock { state in
            for message in messages { state.apply(message) }
            state.isComplete = true
        }
    }

    /// False before the agent has heard all that there is: who is not found then may be found soon.
    public var isComplete: Bool { state.withLock { $0.isComplete } }

    /// The instance whose port on the network has the address; nil when there is none.
    ///
    /// - Parameter source: an address of the port, or the link-local address made of its MAC address (RFC 4291, appendix A).
    public func instance(on networkID: ResourceID, at source: IPAddress) -> InstanceSubject? {
        state.withLock { $0.instance(on: networkID, at: source) }
    }
}

/// What ``InstanceDirectory`` knows, as a value.
struct InstanceIndex {
    private struct AddressKey: Hashable {
        var networkID: ResourceID
        var address: IPAddress
    }

    private struct OwnerKey: Hashable {
        var instanceID: String
        var projectID: String
    }

    var isComplete = false
    private var reservations: [ResourceID: HostReservation] = [:]
    private var portsByAddress: [AddressKey: ResourceID] = [:]
    private var portsByOwner: [OwnerKey: Set<ResourceID>] = [:]
    private var services: [ResourceID: HostDHCP] = [:]
    private var routers: [ResourceID: HostRouter] = [:]
    /// Network → router → the router's ports there: a request comes from one network, and a host may have many routers.
    private var interfaces: [ResourceID: [ResourceID: [HostRouter.RouterPort]]] = [:]

    mutating func apply(_ message: FeedMessage) {
        switch message {
        case .reset: self = InstanceIndex()
        case .put(.reservation(let item)): put(item)
        case .drop(let key) where key.kind == .reservation: drop(key.id)
        case .put(.dhcp(let item)): services[item.networkID] = item
        case .drop(let key) where key.kind == .dhcp: services[key.id] = nil
        case .put(.router(let item)): replaceRouter(item.id, with: item)
        case .drop(let key) where key.kind == .router: replaceRouter(key.id, with: nil)
        case .put, .drop, .bookmark: break
        }
    }

    private mutating func put(_ item: HostReservation) {
        drop(item.portID)
        guard let instance = item.instance else { return }
        reservations[item.portID] = item
        for key in Self.keys(of: item, instance) { portsByAddress[key] = item.portID }
        guard !instance.id.isEmpty else { return }
        portsByOwner[OwnerKey(instanceID: instance.id, projectID: instance.projectID), default: []].insert(item.portID)
    }

    private mutating func drop(_ id: ResourceID) {
        guard let item = reservations.removeValue(forKey: id), let instance = item.instance else { return }
        // An address may be another port's already.
        for key in Self.keys(of: item, instance) where portsByAddress[key] == id { portsByAddress[key] = nil }
        let owner = OwnerKey(instanceID: instance.id, projectID: instance.projectID)
        portsByOwner[owner]?.remove(id)
        if portsByOwner[owner]?.isEmpty == true { portsByOwner[owner] = nil }
    }

    private mutating func replaceRouter(_ id: ResourceID, with new: HostRouter?) {
        for port in routers[id]?.interfaces ?? [] {
            interfaces[port.networkID]?[id] = nil
            if interfaces[port.networkID]?.isEmpty == true { interfaces[port.networkID] = nil }
        }
        routers[id] = new
        for port in new?.interfaces ?? [] { interfaces[port.networkID, default: [:]][id, default: []].append(port) }
    }

    private static let linkLocal = IPPrefix(masking: .v6(IPv6Address(rawValue: 0xFE80 << 112)), length: 64)

    private static func keys(of item: HostReservation, _ instance: HostReservation.Instance) -> [AddressKey] {
        (instance.addresses + [linkLocal.flatMap(item.mac.eui64(in:))].compactMap { $0 })
            .map { AddressKey(networkID: item.networkID, address: $0) }
    }

    func instance(on networkID: ResourceID, at source: IPAddress) -> InstanceSubject? {
        guard let id = portsByAddress[AddressKey(networkID: networkID, address: source)], let item = reservations[id],
            let instance = item.instance
        else { return nil }
        let owner = OwnerKey(instanceID: instance.id, projectID: instance.projectID)
        let all = instance.id.isEmpty ? [id] : portsByOwner[owner, default: [id]].sorted()
        return InstanceSubject(
            reservation: item, instance: instance, ports: all.compactMap { reservations[$0] }.map(port))
    }

    private func port(_ item: HostReservation) -> SubjectPort {
        let addresses = item.instance?.addresses ?? []
        let service = services[item.networkID]
        let interfaces = interfaces[item.networkID, default: [:]].values.joined().sorted { $0.id < $1.id }
        return SubjectPort(
            id: item.portID, networkID: item.networkID, mac: item.mac, mtu: service?.mtu ?? interfaces.first?.mtu,
            addresses: addresses.compactMap { address in
                if let subnet = service?.subnets.first(where: { $0.prefix.contains(address) }) { return Self.served(address, subnet) }
                return Self.unserved(address, service?.otherSubnets.first { $0.prefix.contains(address) }, interfaces)
            }, dnsServers: (service?.subnets ?? []).flatMap(\.dnsNameservers).filter { !$0.isUnspecified })
    }

    private static func served(_ address: IPAddress, _ subnet: HostDHCP.Subnet) -> SubjectPort.Address {
        let way: SubjectPort.Way =
            switch (subnet.prefix.version, subnet.addressMode) {
            case (.v4, _), (.v6, .stateful), (.v6, nil): .dhcp
            case (.v6, .stateless): .advertisedWithDHCP
            case (.v6, .slaac): .advertised
            }
        return SubjectPort.Address(address: address, prefixLength: subnet.prefix.length, way: way, gateway: subnet.gateway)
    }

    /// What DHCP does not give out: its subnet says the rest, or the router's interface, where there is one on this host. Nil of an address that no
    /// instance could use by what this host knows.
    private static func unserved(
        _ address: IPAddress, _ subnet: HostDHCP.Subnet?, _ interfaces: [HostRouter.RouterPort]
    ) -> SubjectPort.Address? {
        for interface in interfaces {
            let prefixes = interface.advertisement?.prefixes ?? []
            if let prefix = prefixes.first(where: { $0.isAutonomous && $0.prefix.contains(address) }) {
                return SubjectPort.Address(address: address, prefixLength: prefix.prefix.length, way: .advertised, gateway: nil)
            }
            guard let own = interface.addresses.first(where: { $0.prefix.contains(address) }) else { continue }
            return SubjectPort.Address(
                address: address, prefixLength: own.prefixLength, way: .fixed, gateway: interface.gateways.first(where: own.prefix.contains)
            )
        }
        if let subnet {
            let way: SubjectPort.Way = subnet.addressMode == .slaac ? .advertised : .fixed
            return SubjectPort.Address(
                address: address, prefixLength: subnet.prefix.length, way: way, gateway: way == .fixed ? subnet.gateway : nil)
        }
        guard address.version == .v6 else { return nil }
        return SubjectPort.Address(address: address, prefixLength: address.version.addressBits, way: .advertised, gateway: nil)
    }
}
