import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Whose connections fill the kernel's table of tracked connections, which all instances of a host share.
///
/// A connection counts for the instance that began it, which is known by its source address, since bridges hold ports to theirs; one that began elsewhere for the
/// instance that it leads to. What instances of other hosts have through a router on this one counts for nobody here. From a source that is nobody's to a
/// destination that is nobody's it counts for who may use the source as an allowed address pair, else for all of its network's ports without port
/// security, who may write any address.
public struct ConnectionTally: Sendable {
    /// An instance's device and how many connections are its own.
    public struct Holder: Hashable, Sendable {
        public var device: String
        public var connections: Int

        public init(device: String, connections: Int) {
            self.device = device
            self.connections = connections
        }
    }

    /// Who is who in one network. Devices are numbers, since hundreds of thousands of connections are looked at.
    private struct Network: Sendable {
        /// Nil: of an instance elsewhere, or of several.
        var hosts: [IPAddress: Int?] = [:]
        /// Of allowed address pairs.
        var prefixes: [(prefix: IPPrefix, device: Int)] = []
        /// Ports without port security.
        var trusted: [Int] = []

        mutating func add(_ address: IPAddress, of device: Int?) {
            hosts.merge([address: device]) { first, second in first == second ? first : nil }
        }

        func owners(from source: IPAddress, to destination: IPAddress) -> [Int] {
            let (beginner, target) = (hosts[source], hosts[destination])
            if let device = beginner ?? nil { return [device] }
            if let device = target ?? nil { return [device] }
            guard beginner == nil, target == nil else { return [] }
            if let device = prefixes.first(where: { $0.prefix.contains(source) })?.device { return [device] }
            return trusted
        }
    }

    private var networks: [Int: Network] = [:]
    private var devices: [String] = []
    private var counts: [Int] = []

    public init(_ view: HostView) {
        let zones = ConntrackZones.assign(view.networks.keys)
        for port in view.ports.all where port.isAdminStateUp {
            guard let zone = zones[port.networkID] else { continue }
            let device = devices.count
            devices.append(port.deviceName)
            for pair in PortIdentity.pairs(of: port) {
                if pair.prefix.isHost {
                    networks[zone, default: Network()].add(pair.prefix.address, of: device)
                } else {
                    networks[zone, default: Network()].prefixes.append((pair.prefix, device))
                }
            }
            if !port.isPortSecurityEnabled { networks[zone, default: Network()].trusted.append(device) }
        }
        for port in view.remotePorts.all {
            guard let zone = zones[port.networkID] else { continue }
            for address in port.addresses { networks[zone, default: Network()].add(address, of: nil) }
        }
        counts = [Int](repeating: 0, count: devices.count)
    }

    public mutating func count(_ connection: TrackedConnection) {
        for device in owners(of: connection) { counts[device] += 1 }
    }

    private func owners(of connection: TrackedConnection) -> [Int] {
        networks[connection.zone]?.owners(from: connection.source, to: connection.destination) ?? []
    }

    /// Those who hold more than so many, the largest first.
    public func holders(above limit: Int) -> [Holder] {
        counts.indices.filter { counts[$0] > limit }.map { Holder(device: devices[$0], connections: counts[$0]) }
            .sorted { $0.connections == $1.connections ? $0.device < $1.device : $0.connections > $1.connections }
    }
}
