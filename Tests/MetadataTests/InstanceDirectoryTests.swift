import Addressing
import HostModel
import Metadata
import NetworkModel
import Testing

/// Who asks.
@Suite struct InstanceDirectoryTests {
    private func directory(_ messages: FeedMessage...) -> InstanceDirectory {
        let directory = InstanceDirectory()
        directory.apply(messages)
        return directory
    }

    @Test("A port is found by each of its addresses and by the link-local one of its MAC, on its own network only")
    func addresses() {
        let directory = directory(port(5, "10.0.0.5", "fd00::5"), port(6, on: 2, "10.0.0.5", device: "other"))
        for source in ["10.0.0.5", "fd00::5", "fe80::f816:3eff:fe00:5"] {
            #expect(directory.instance(on: networkID(1), at: ip(source))?.portID == portID(5))
        }
        #expect(directory.instance(on: networkID(2), at: ip("10.0.0.5"))?.deviceID == "other")
        for source in ["10.0.0.6", "fe80::f816:3eff:fe00:6", "fe80::1", "127.0.0.1"] {
            #expect(directory.instance(on: networkID(1), at: ip(source)) == nil)
        }
        #expect(directory.instance(on: networkID(3), at: ip("10.0.0.5")) == nil)
    }

    @Test("Ports that the network itself made are nobody")
    func networkPorts() {
        #expect(directory(port(5, "10.0.0.5", isInstance: false)).instance(on: networkID(1), at: ip("10.0.0.5")) == nil)
    }

    @Test("An address that went to another port is that port's, in whichever order the changes come")
    func heirs() {
        let directory = directory(port(5, "10.0.0.5", device: "old"), port(6, "10.0.0.5", device: "new"))
        directory.apply([.drop(HostItemKey(.reservation, portID(5)))])
        #expect(directory.instance(on: networkID(1), at: ip("10.0.0.5"))?.deviceID == "new")
        directory.apply([port(6, "10.0.0.7", device: "new")])
        #expect(directory.instance(on: networkID(1), at: ip("10.0.0.5")) == nil)
        directory.apply([.reset])
        #expect(directory.instance(on: networkID(1), at: ip("10.0.0.7")) == nil)
    }

    @Test("It is complete with the first batch")
    func complete() {
        let directory = InstanceDirectory()
        #expect(!directory.isComplete)
        directory.apply([.reset])
        #expect(directory.isComplete)
    }

    @Test("An instance's other ports are those of its project that name the same device; ports without a device stand alone")
    func otherPorts() {
        let directory = directory(
            port(5, "10.0.0.5"), port(6, on: 2, "10.0.1.6"), port(7, "10.0.0.7", project: "q"), port(8, "10.0.0.8", device: ""),
            port(9, "10.0.0.9", device: ""))
        #expect(directory.instance(on: networkID(1), at: ip("10.0.0.5"))?.ports.map(\.id) == [portID(5), portID(6)])
        let alone = directory.instance(on: networkID(1), at: ip("10.0.0.8"))
        #expect(alone?.ports.map(\.id) == [portID(8)] && alone?.id == portID(8).description)
    }

    @Test("A router's port tells what its network is like, whichever router has it, until none has")
    func routerPorts() {
        let interface = HostRouter.RouterPort(
            id: portID(80), networkID: networkID(1), mac: mac(80), addresses: [InterfaceAddress("10.0.0.1/24")].compactMap { $0 }, mtu: 1400
        )
        func router(_ number: Int, _ ports: HostRouter.RouterPort...) -> FeedMessage {
            .put(.router(HostRouter(id: networkID(number), interfaces: ports)))
        }
        let directory = directory(port(5, "10.0.0.5"), router(70, interface), router(71, interface), router(70))
        func found() -> SubjectPort? { directory.instance(on: networkID(1), at: ip("10.0.0.5"))?.ports.first }
        #expect(found()?.mtu == 1400 && found()?.addresses.first?.prefixLength == 24)
        directory.apply([router(71)])
        #expect(found()?.mtu == nil)
        #expect(found()?.addresses.isEmpty == true, "nobody knows its prefix")
    }

    @Test("Of an address that DHCP does not give out its subnet tells the rest")
    func otherSubnets() {
        let directory = directory(
            port(5, "10.0.0.5", "10.1.0.5", "fd00::5", "fd01::5"),
            service(
                subnet("10.0.0.0/24"),
                others: [subnet("10.1.0.0/16", gateway: "10.1.0.1"), subnet("fd00::/64", mode: .slaac), subnet("fd01::/64")]))
        let addresses = directory.instance(on: networkID(1), at: ip("10.0.0.5"))?.ports.first?.addresses ?? []
        #expect(addresses.map(\.way) == [.dhcp, .fixed, .advertised, .fixed])
        #expect(addresses.map(\.prefixLength) == [24, 16, 64, 64])
        #expect(addresses.map(\.gateway) == [nil, ip("10.1.0.1"), nil, nil])
    }
}
