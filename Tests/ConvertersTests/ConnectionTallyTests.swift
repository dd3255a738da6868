import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite struct ConnectionTallyTests {
    private let secured = id(301)
    private let other = id(302)

    private func zone(_ network: ResourceID) throws -> Int { try #require(ConntrackZones.assign([networkID, secured, other])[network]) }

    private func connection(
        _ network: ResourceID, _ source: String, _ destination: String, _ port: UInt16 = 1
    ) throws -> TrackedConnection {
        TrackedConnection(
            zone: try zone(network), source: ip(source), destination: ip(destination), protocolNumber: 17, sourcePort: port,
            destinationPort: 53)
    }

    private func tallied(_ connections: [TrackedConnection], _ items: HostItem...) -> ConnectionTally {
        let networks = [network(), network(.local, id: secured), network(.local, id: other)]
        var tally = ConnectionTally(view(networks + items))
        for connection in connections { tally.count(connection) }
        return tally
    }

    @Test("A connection counts for the instance that began it, and one from elsewhere for the instance that it leads to")
    func owners() throws {
        let pairs: [HostPort.Pair] = [.init(prefix: prefix("10.9.0.0/16"), mac: mac(7))]
        let tally = tallied(
            [
                try connection(networkID, "10.0.0.7", "10.0.0.8"), try connection(networkID, "10.0.0.7", "192.0.2.1"),
                try connection(networkID, "10.9.1.1", "192.0.2.1"), try connection(networkID, "192.0.2.1", "10.0.0.8"),
                // It leads to an instance, whoever else may use the source.
                try connection(networkID, "10.9.1.1", "10.0.0.8"),
                // The same addresses in another network are somebody else's, and from nobody to nobody nobody's.
                try connection(other, "10.0.0.7", "10.0.0.8"), try connection(networkID, "192.0.2.1", "192.0.2.2"),
            ], .port(port(7, pairs: pairs)), .port(port(8)))
        #expect(
            tally.holders(above: 0) == [.init(device: tap(7), connections: 3), .init(device: tap(8), connections: 2)])
        #expect(tally.holders(above: 2) == [.init(device: tap(7), connections: 3)])
        #expect(tally.holders(above: 3).isEmpty)
    }

    @Test("Connections of invented addresses count for the ports of their network that may invent some")
    func inventedAddresses() throws {
        let invented = try (1...5).map { try connection(other, "172.16.0.\($0)", "172.17.0.1") }
        let tally = tallied(invented, .port(port(7, isSecure: false, network: other)), .port(port(8, network: other)), .port(port(9)))
        #expect(tally.holders(above: 1) == [.init(device: tap(7), connections: 5)])
    }

    @Test("What instances of other hosts have through a router here counts for nobody, nor what has an address of several")
    func elsewhere() throws {
        let shared: [HostPort.Pair] = [.init(prefix: prefix("10.0.0.100/32"), mac: mac(7))]
        let tally = tallied(
            [
                try connection(networkID, "10.0.0.9", "192.0.2.1"), try connection(networkID, "192.0.2.1", "10.0.0.9"),
                try connection(networkID, "10.0.0.100", "192.0.2.1"), try connection(networkID, "10.0.0.9", "10.0.0.8"),
            ], .port(port(7, pairs: shared)), .port(port(8, isSecure: false, pairs: shared)), remote(9, "10.0.0.9"))
        #expect(tally.holders(above: 0) == [.init(device: tap(8), connections: 1)])
    }

    private func remote(_ number: Int, _ address: String) -> HostItem {
        .remotePort(
            HostRemotePort(
                portID: id(number), networkID: networkID, mac: mac(number), addresses: [ip(address)], endpoint: ip("192.0.2.2")))
    }
}
