import APISchema
import Addressing
import NetworkModel
import Store
import Testing

/// Resources for tests, alike but for what a test gives.
enum Samples {
    static func id() -> ResourceID {
        var generator = SystemRandomNumberGenerator()
        return ResourceID(using: &generator)
    }

    static func network(_ name: String = "", project: String = "p") -> Network {
        var network = Network(id: id(), projectID: project)
        network.name = name
        return network
    }

    static func subnet(on network: Network) throws -> Subnet {
        Subnet(id: id(), projectID: "p", networkID: network.id, prefix: try #require(IPPrefix("10.0.0.0/16")))
    }

    static func port(on network: Network, _ number: Int = Int.random(in: 0..<1 << 40), name: String = "") -> Port {
        var port = Port(id: id(), projectID: "p", networkID: network.id, mac: MACAddress(rawValue: 0x0200_0000_0000 | UInt64(number)))
        port.name = name
        return port
    }

    /// A port with something in every column.
    static func widePort(on network: Network, _ subnet: Subnet, _ number: Int) throws -> Port {
        var port = port(on: network, number, name: "port \(number)")
        port.fixedIPs = [FixedIP(subnetID: subnet.id, address: .v4(IPv4Address(rawValue: 0x0A00_0000 | UInt32(number))))]
        port.deviceID = id().description
        port.deviceOwner = "compute:nova"
        port.securityGroupIDs = [id()]
        port.hostID = "host-\(number % 100)"
        port.vifType = "bridge"
        port.status = .active
        port.bindingProfile = "{\"migrating_to\":\"host-1\"}"
        port.inactiveBindings = [PortBinding(hostID: "host-1", vifType: "bridge", isWired: true)]
        port.standard.description = "ein Anschluß № \(number)"
        port.standard.tags = ["blue", "green"]
        port.standard.revisionNumber = number
        port.standard.createdAt = Timestamp(secondsSince1970: 1_700_000_000 + number)
        port.standard.updatedAt = Timestamp(secondsSince1970: 1_700_000_000 + 2 * number)
        return port
    }
}

extension StoreTransaction {
    /// Gives an address of a subnet to a port; the table has the rest.
    func allocate(_ number: Int, in subnet: Subnet, to port: Port) throws -> Bool {
        let digits = String(number, radix: 16)
        return try insertIfAbsent(
            table: "ip_allocations", columns: ["subnet_id", "address", "ip_address", "port_id", "network_id"],
            values: [
                .text(subnet.id.description), .text(String(repeating: "0", count: 32 - digits.count) + digits),
                .text(IPv4Address(rawValue: UInt32(number)).description), .text(port.id.description), .text(port.networkID.description),
            ])
    }
}
