import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Whose connections fill the kernel's table of tracked connections, which all instances of a host share.
///
/// A connection counts for the instance that began it, which is known by its source address, since bridges hold ports to theirs; one that began elsewhere for the
/// instance that it leads to. From a source that is nobody's to a destination that is nobody's it counts for all of its network's ports without
/// port security, who may write any address.
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
        var hosts: [IPAddress: Int] = [:]
        /// Of allowed address pairs.
        var prefixes: [(prefix: IPPrefix, device: Int)] = []
        /// Ports without port security.
        var trusted: [Int] = []

        func owner(of address: IPAddress) -> Int? { hosts[address] ?? prefixes.first { $0.prefix.contains(address) }?.device }
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
                    // Of several that share an address (a pair's) the first counts for all.
                    networks[zone, default: Network()].hosts.merge([pair.prefix.address: device]) { first, _ in first }
                } else {
                    networks[zone, default: Network()].prefixes.append((pair.prefix, device))
                }
            }
            if !port.isPortSecurityEnabled { networks[zone, default: Network()].trusted.append(device) }
        }
        counts = [Int](repeating: 0, count: devices.count)
    }

    public mutating func count(_ connection: TrackedConnection) {
        for device in owners(of: connection) { counts[device] += 1 }
    }

    private func owners(of connection: TrackedConnection) -> [Int] {
        guard let network = networks[connection.zone] else { return [] }
        if let owner = network.owner(of: connection.source) ?? network.owner(of: connection.destination) { return [owner] }
        return network.trusted
    }

    /// Those who hold more than so many, the largest first.
    public func holders(above limit: Int) -> [Holder] {
        counts.indices.filter { counts[$0] > limit }.map { Holder(device: devices[$0], connections: counts[$0]) }
            .sorted { $0.connections == $1.connections ? $0.device < $1.device : $0.connections > $1.connections }
    }

    /// What is too much of those who hold more than so many, as it comes, no more than `maximum`: to be asked of each connection once more.
    public struct Excess {
        private let tally: ConnectionTally
        private var left: [Int: Int] = [:]
        private var maximum: Int

        fileprivate init(_ tally: ConnectionTally, limit: Int, maximum: Int) {
            self.tally = tally
            self.maximum = maximum
            for device in tally.counts.indices where tally.counts[device] > limit { left[device] = tally.counts[device] - limit }
        }

        public mutating func takes(_ connection: TrackedConnection) -> Bool {
            guard maximum > 0, let device = tally.owners(of: connection).first(where: { left[$0, default: 0] > 0 }) else { return false }
            left[device, default: 0] -= 1
            maximum -= 1
            return true
        }
    }

    public func excess(above limit: Int, maximum: Int) -> Excess { Excess(self, limit: limit, maximum: maximum) }
}
