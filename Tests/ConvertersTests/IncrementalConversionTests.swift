import Addressing
import HostModel
import NetworkModel
import Testing

@testable import Converters

/// Converting only what changed gives what converting everything gives.
@Suite("Incremental conversion")
struct IncrementalConversionTests {
    @Test("After any changes, one by one or many at once, the host is what it is from nothing", arguments: 0..<40)
    func sameAsFromNothing(seed: Int) {
        var world = RandomItems(seed: seed)
        var (view, changes) = (HostView(), HostChanges())
        var settings = settings
        settings.servesMetadata = seed % 4 > 0
        settings.hasBridgeConntrack = seed % 2 > 0
        var converter = HostConverter(settings: settings)
        _ = converter.convert(view, .everything)
        for step in 0..<60 {
            for _ in 0..<Int.random(in: 1...6, using: &world.random) { changes.apply(world.message(), to: &view) }
            let conversion = converter.convert(view, changes)
            changes = HostChanges()
            #expect(conversion == HostConverter.convert(view, settings), "step \(step)")
        }
    }

    @Test("An item that the view holds already changes nothing, and a full list after a reset counts as everything")
    func sameAgain() {
        var (view, changes) = (view(network(), .port(port(7))), HostChanges())
        changes.apply(.put(.port(port(7))), to: &view)
        changes.apply(.drop(HostItemKey(.groupMember, id(9), of: id(8))), to: &view)
        #expect(!changes.hasLayer2 && !changes.hasFilters && !changes.isEverything)
        changes.apply(.reset, to: &view)
        #expect(view.isEmpty && changes.isEverything)
    }

    @Test("A new reservation concerns the routers of its network that answer metadata, and after a reset none by itself")
    func reservation() {
        let routers = [11, 12].map { number -> HostItem in
            var port = routerPort(number, network: 1, "10.0.0.1/24")
            port.metadata = number == 11 ? .init(answersIPv4: true) : .init(neighbour: ip("10.0.0.2"))
            return .router(HostRouter(id: id(900 + number), interfaces: [port]))
        }
        let item = HostItem.reservation(
            HostReservation(portID: id(7), networkID: networkID, mac: mac(7), addresses: [ip("10.0.0.7")], hostname: "h", revision: 1))
        var (view, changes) = (view([network()] + routers), HostChanges())
        changes.apply(.put(item), to: &view)
        #expect(changes.routers == [id(911)] && changes.dhcpNetworks == [networkID])
        changes = .everything
        changes.apply(.drop(item.key), to: &view)
        #expect(changes.routers.isEmpty)
    }

    @Test("A trusted instance's device that becomes a router's, is both's, and is one's again, stays trusted")
    func sharedDevice() {
        let router = HostItem.router(HostRouter(id: id(900), interfaces: [routerPort(7, network: 1, "10.0.0.1/24")]))
        let instance = HostItem.port(port(7, isSecure: false))
        var (view, changes) = (view(network()), HostChanges())
        var converter = HostConverter(settings: settings)
        _ = converter.convert(view, .everything)
        let batches: [[FeedMessage]] = [
            [.put(instance)], [.drop(instance.key), .put(router)], [.put(instance)], [.drop(router.key)], [.put(router)],
            [.drop(instance.key)],
            [.drop(router.key), .put(instance)],
        ]
        for batch in batches {
            for message in batch { changes.apply(message, to: &view) }
            let firewall = converter.convert(view, changes).configuration.own.firewall
            #expect(firewall.first?.sets["trusted"]?.elements == ["\"\(tap(7))\""])
            changes = HostChanges()
        }
    }

    @Test("A new member of a group changes one set of the host, and nothing else is even another storage")
    func newMember() throws {
        var (view, changes) = (
            view(network(), .port(port(7, groups: [id(50)])), .securityGroup(defaultGroup(id(50))), member(id(50), port: 7)), HostChanges()
        )
        var converter = HostConverter(settings: settings)
        let before = converter.convert(view, .everything)
        changes.apply(.put(member(id(50), port: 8)), to: &view)
        let after = converter.convert(view, changes)
        var expected = before
        expected.configuration.own.firewall[0].sets["members_ipv4_\(id(50))"]?.elements.insert("10.0.0.8")
        #expect(after == expected)
        #expect(after == HostConverter.convert(view, settings))
    }
}

/// Messages of a feed about few things, so that they meet in every way.
private struct RandomItems {
    var random: SeededGenerator

    init(seed: Int) { random = SeededGenerator(seed: seed) }

    mutating func message() -> FeedMessage {
        if Int.random(in: 0..<200, using: &random) == 0 { return .reset }
        let item = item()
        return Int.random(in: 0..<4, using: &random) == 0 ? .drop(item.key) : .put(item)
    }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func isTrue() -> Bool { Bool.random(using: &random) }
    private mutating func networkID() -> ResourceID { id(number(1..<5)) }

    private mutating func item() -> HostItem {
        switch number(0..<10) {
        case 0: network()
        case 1:
            .remotePort(
                HostRemotePort(
                    portID: id(100 + number(0..<6)), networkID: networkID(), mac: mac(number(0..<6)), addresses: [address()],
                    endpoint: ip("192.0.2.\(number(1..<4))")))
        case 2, 3: .port(port())
        case 4: group()
        case 5: member()
        case 6: .addressGroup(HostAddressGroup(id: id(70), addresses: [prefix("192.0.2.\(number(0..<9))/32")]))
        case 7: dhcp()
        case 8: reservation()
        default: router()
        }
    }

    private mutating func address() -> IPAddress { ip(isTrue() ? "10.0.0.\(number(2..<9))" : "2001:db8::\(number(2..<9))") }

    private mutating func network() -> HostItem {
        let carriers: [HostNetwork.Carrier] = [
            .local, .flat(physicalNetwork: "physnet1"), .vlan(physicalNetwork: "physnet1", id: 5), .vxlan(vni: 1), .vxlan(vni: 2),
            .vxlan(vni: 3),
        ]
        let remotes = Set((2..<4).filter { _ in isTrue() }.map { ip("192.0.2.\($0)") })
        return .network(HostNetwork(id: networkID(), carrier: carriers[number(0..<6)], mtu: 1450, remoteEndpoints: remotes))
    }

    private mutating func port() -> HostPort {
        HostPort(
            id: id(20 + number(0..<8)), networkID: networkID(), mac: mac(number(0..<8)), addresses: [address()],
            isAdminStateUp: number(0..<5) > 0, isPortSecurityEnabled: number(0..<4) > 0,
            securityGroupIDs: (50..<53).filter { _ in isTrue() }.map { id($0) },
            allowedAddressPairs: number(0..<4) > 0 ? [] : [.init(prefix: prefix("10.0.1.0/24"), mac: mac(3))], revision: number(0..<3),
            quality: quality())
    }

    private mutating func quality() -> HostQuality? {
        guard number(0..<4) == 0 else { return nil }
        return HostQuality(
            ingress: .init(bandwidth: .init(kilobitsPerSecond: number(1..<4) * 1000, burstKilobits: 0)),
            egress: .init(packetRate: .init(kilopacketsPerSecond: number(1..<4), burstKilopackets: 0)), dscpMark: isTrue() ? 10 : nil)
    }

    private mutating func group() -> HostItem {
        var rules: Set<HostSecurityGroup.Rule> = [.init(direction: .egress, ipVersion: 4)]
        if isTrue() { rules.insert(.init(direction: .ingress, ipVersion: 4, remoteGroupID: id(50 + number(0..<3)))) }
        if isTrue() { rules.insert(.init(direction: .ingress, ipVersion: 6, remoteGroupID: id(50 + number(0..<3)))) }
        if isTrue() { rules.insert(.init(direction: .ingress, ipVersion: 4, remoteAddressGroupID: id(70))) }
        return .securityGroup(HostSecurityGroup(id: id(50 + number(0..<3)), rules: rules, isStateful: number(0..<4) > 0))
    }

    private mutating func member() -> HostItem {
        let prefixes = [
            prefix("10.0.0.\(number(2..<9))/32"), prefix("2001:db8::\(number(2..<9))/128"), prefix("10.9.\(number(0..<4)).0/24"),
        ]
        return .groupMember(
            HostGroupMember(groupID: id(50 + number(0..<3)), portID: id(20 + number(0..<12)), addresses: prefixes.filter { _ in isTrue() }))
    }

    private mutating func dhcp() -> HostItem {
        let network = number(1..<5)
        let subnet = HostDHCP.Subnet(id: id(300 + network), prefix: prefix("10.0.0.0/24"), gateway: isTrue() ? ip("10.0.0.1") : nil)
        return .dhcp(
            HostDHCP(
                networkID: id(network), portID: id(310 + network), portMAC: mac(40 + network),
                portAddresses: [interfaceAddress("10.0.0.2/24")], portRevision: number(0..<3), mtu: 1450,
                subnets: number(0..<4) > 0 ? [subnet] : [], hasLinkLocalMetadata: isTrue(), portQuality: quality()))
    }

    private mutating func reservation() -> HostItem {
        .reservation(
            HostReservation(
                portID: id(20 + number(0..<8)), networkID: networkID(), mac: mac(number(0..<8)), addresses: [address()],
                hostname: "host-\(number(0..<3))", revision: number(0..<3), instance: isTrue() ? instance() : nil))
    }

    private mutating func instance() -> HostReservation.Instance {
        HostReservation.Instance(id: "instance-\(number(0..<3))", projectID: "p", addresses: [address()])
    }

    private mutating func router() -> HostItem {
        let router = number(0..<2)
        let isRedundant = isTrue()
        return .router(
            HostRouter(
                id: id(410 + router), isAdminStateUp: number(0..<5) > 0, redundancy: isRedundant ? redundancy(10 * router + 2) : nil,
                gateway: isTrue() ? routerPort(10 * router) : nil, interfaces: isTrue() ? [routerPort(10 * router + 1)] : []))
    }

    /// Sometimes with the id, and so the device, of a port of an instance: it is not said which of two changes comes first. Of two routers never.
    private mutating func routerPort(_ offset: Int) -> HostRouter.RouterPort {
        let id = id(number(0..<3) > 0 ? 400 + offset : 20 + offset / 10 * 3 + offset % 10)
        let metadata = HostRouter.Metadata(neighbour: isTrue() ? ip("10.0.0.2") : nil, answersIPv4: isTrue(), answersIPv6: isTrue())
        return HostRouter.RouterPort(
            id: id, networkID: networkID(), mac: mac(60 + offset), addresses: [interfaceAddress("10.0.0.\(number(2..<9))/24")], mtu: 1450,
            isAdminStateUp: number(0..<5) > 0, metadata: isTrue() ? metadata : nil, quality: quality())
    }

    private mutating func redundancy(_ offset: Int) -> HostRouter.Redundancy {
        HostRouter.Redundancy(
            virtualRouterID: number(1..<4), priority: number(1..<255), port: routerPort(offset), isDraining: isTrue(),
            replicatesConnections: isTrue())
    }
}
