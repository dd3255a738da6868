import HostModel
import HostProjection
import NetworkModel
import Testing

/// What hosts know of instances that may ask them for metadata.
@Suite struct MetadataItemTests {
    private func reservation(_ rows: [TopologyChange.Row], _ port: Int, _ host: String) -> HostReservation? {
        guard case .reservation(let item) = Topology(rows: rows).item(HostItemKey(.reservation, portID(port)), for: host) else {
            return nil
        }
        return item
    }

    private func metadata(_ rows: [TopologyChange.Row]) -> HostRouter.Metadata? {
        guard case .router(let item) = Topology(rows: rows).item(HostItemKey(.router, routerID(1)), for: "r1") else { return nil }
        return item.interfaces.first?.metadata
    }

    private var cloud: [TopologyChange.Row] {
        [
            network(1), router(1) { _ in }, member(1, on: "r1"),
            port(9, on: 1, owner: DeviceOwner.routerInterface, device: routerID(1).description, addresses: [(1, "10.0.0.1")]),
            port(5, on: 1, host: "h2", addresses: [(1, "10.0.0.5")]) {
                $0.deviceID = "device"
                $0.bindingProfile = #"{"neutrino:instance": {"hostname": "vm1"}}"#
            },
        ]
    }

    private let served = subnet(1, on: 1, "10.0.0.0/24")
    private let unserved = subnet(1, on: 1, "10.0.0.0/24") { $0.isDHCPEnabled = false }
    private let dhcpPort = port(2, on: 1, host: "h1", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.2")])

    @Test("A host that serves DHCP knows whose ports there are, what they are told, and what they are called outside")
    func dhcpHost() {
        let rows =
            cloud + [served, dhcp(1, on: "h1"), dhcpPort, floatingIP(1, "203.0.113.9", port: 5, fixed: "10.0.0.5", router: 1) { _ in }]
        let instance = reservation(rows, 5, "h1")?.instance
        #expect(instance?.id == "device" && instance?.projectID == "p" && instance?.addresses == [address("10.0.0.5")])
        #expect(instance?.facts == InstanceFacts(hostname: "vm1") && instance?.floatingAddress == address("203.0.113.9"))
        #expect(reservation(rows, 9, "h1")?.instance == nil, "a router's port is no instance")
        #expect(reservation(rows, 5, "r1") == nil, "the router only passes requests on")
    }

    @Test("What is said of an instance goes with the profile that says it")
    func facts() {
        var topology = Topology(rows: cloud + [served, dhcp(1, on: "h1"), dhcpPort])
        func hostname() -> String? {
            guard case .reservation(let item) = topology.item(HostItemKey(.reservation, portID(5)), for: "h1") else { return nil }
            return item.instance?.facts?.hostname
        }
        func put(_ profile: String) -> Bool {
            let row = port(5, on: 1, host: "h2", addresses: [(1, "10.0.0.5")]) { $0.bindingProfile = profile }
            return topology.apply([.put(row)])["h1"]?.contains(HostItemKey(.reservation, portID(5))) == true
        }
        #expect(hostname() == "vm1")
        for (profile, name) in [(#"{"neutrino:instance": {"hostname": "vm2"}}"#, "vm2"), ("{}", nil)] as [(String, String?)] {
            let isNews = put(profile)
            let told = hostname()
            #expect(isNews && told == name, "\(profile)")
        }
    }

    @Test("A router passes requests on where there is a DHCP server, and answers where the network has none")
    func routers() {
        #expect(metadata(cloud + [served, dhcp(1, on: "h1"), dhcpPort]) == .init(neighbour: address("10.0.0.2")))
        #expect(metadata(cloud + [served, dhcpPort]) == nil, "a port that nobody serves answers nobody")
        #expect(metadata(cloud + [unserved]) == .init(answersIPv4: true))
        #expect(reservation(cloud + [unserved], 5, "r1")?.instance?.id == "device")
        #expect(reservation(cloud + [unserved], 5, "h2") == nil)
    }

    @Test("Of several DHCP servers the one with the lowest port id has the address of metadata in IPv6")
    func first() {
        let rows = [
            network(1), served, dhcp(1, on: "h1"), dhcp(1, on: "h2"), dhcpPort,
            port(3, on: 1, host: "h2", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.3")]),
        ]
        let topology = Topology(rows: rows)
        let has = ["h1", "h2"].map { host -> Bool? in
            guard case .dhcp(let item) = topology.item(HostItemKey(.dhcp, networkID(1)), for: host) else { return nil }
            return item.hasLinkLocalMetadata
        }
        #expect(has == [true, false])
    }

    @Test("A host that serves no metadata is passed over for the next, and so is a DHCP port that its host does not have")
    func hostsWithout() {
        let rows =
            cloud + [
                served, dhcp(1, on: "h1"), dhcp(1, on: "h2"), dhcpPort,
                port(3, on: 1, host: "h1", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.3")]),
                port(4, on: 1, host: "h2", owner: DeviceOwner.dhcp, addresses: [(1, "10.0.0.4")]),
            ]
        func agents(_ first: Bool, _ second: Bool) -> [TopologyChange.Row] {
            [agent(1, type: .dhcp, servesMetadata: first), agent(2, type: .dhcp, servesMetadata: second)]
        }
        #expect(metadata(rows + agents(true, true)) == .init(neighbour: address("10.0.0.2")))
        #expect(metadata(rows + agents(false, true)) == .init(neighbour: address("10.0.0.4")))
        #expect(metadata(rows + agents(false, false)) == nil)
        guard case .dhcp(let item) = Topology(rows: rows + agents(false, true)).item(HostItemKey(.dhcp, networkID(1)), for: "h2") else {
            Issue.record("h2 serves DHCP")
            return
        }
        #expect(item.hasLinkLocalMetadata)
    }
}
