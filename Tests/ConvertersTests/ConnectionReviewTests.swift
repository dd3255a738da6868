import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("Connections after a change of security groups")
struct ConnectionReviewTests {
    let group = id(100)
    let web = id(101)
    let zone = ConntrackZones.assign([networkID])[networkID] ?? 0

    private func connection(
        _ source: String, _ destination: String, _ number: Int = 6, port: UInt16 = 22, type: UInt8 = 0, zone: Int? = nil
    ) -> TrackedConnection {
        TrackedConnection(
            zone: zone ?? self.zone, source: ip(source), destination: ip(destination), protocolNumber: number, sourcePort: 40000,
            destinationPort: number == 1 ? 0 : port, icmpType: type)
    }

    /// What must end when the second view takes the place of the first.
    private func ended(_ connections: [TrackedConnection], _ old: HostView?, _ new: HostView) -> [TrackedConnection] {
        let judges = ConnectionReview.judges(ConnectionReview.suspects(from: old, to: new), in: new)
        return connections.filter { connection in judges.contains { $0.mustEnd(connection) } }
    }

    private func group(_ id: ResourceID, _ rules: HostSecurityGroup.Rule..., isStateful: Bool = true) -> HostItem {
        .securityGroup(HostSecurityGroup(id: id, rules: Set(rules), isStateful: isStateful))
    }

    private let ssh = HostSecurityGroup.Rule(
        direction: .ingress, ipVersion: 4, protocolNumber: 6, portRangeMinimum: 22, portRangeMaximum: 22)
    private let pings = HostSecurityGroup.Rule(direction: .ingress, ipVersion: 4, protocolNumber: 1)
    private let out = HostSecurityGroup.Rule(direction: .egress, ipVersion: 4)

    @Test("A removed rule ends the connections that only it allowed: not those of other rules, directions, ports, networks")
    func removedRule() {
        let others: [HostItem] = [network(), .port(port(7, groups: [group])), .port(port(8, groups: [web])), group(web, ssh, out)]
        let old = view(others + [group(group, ssh, pings, out)])
        let new = view(others + [group(group, pings, out)])
        let stale = [connection("192.0.2.9", "10.0.0.7"), connection("10.0.0.8", "10.0.0.7")]
        let good = [
            connection("10.0.0.7", "192.0.2.9"), connection("192.0.2.9", "10.0.0.7", 1, type: 8), connection("192.0.2.9", "10.0.0.8"),
            connection("192.0.2.9", "10.0.0.7", zone: zone + 1), connection("10.0.0.7", "10.0.0.8"),
        ]
        #expect(ended(good + stale, old, new) == stale)
        #expect(ended(good + stale, new, old).isEmpty, "a rule that comes ends nothing")
        #expect(Set(ConnectionReview.suspects(from: old, to: new).keys) == [id(7)])
    }

    @Test("What another rule allows too goes on")
    func twoRules() {
        let wide = HostSecurityGroup.Rule(direction: .ingress, ipVersion: 4, protocolNumber: 6, remotePrefix: prefix("192.0.2.0/24"))
        let items: [HostItem] = [network(), .port(port(7, groups: [group, web]))]
        let old = view(items + [group(group, ssh), group(web, wide)])
        let new = view(items + [group(group), group(web, wide)])
        #expect(
            ended([connection("192.0.2.9", "10.0.0.7"), connection("198.51.100.9", "10.0.0.7")], old, new)
                == [connection("198.51.100.9", "10.0.0.7")])
    }

    @Test("A member that leaves a remote group, or an address that leaves an address group, loses its connections")
    func remoteGroups() {
        let addresses = id(102)
        let items: [HostItem] = [
            network(), .port(port(7, groups: [group])),
            group(
                group, .init(direction: .ingress, ipVersion: 4, remoteGroupID: web),
                .init(direction: .ingress, ipVersion: 4, remoteAddressGroupID: addresses)),
        ]
        func state(_ members: [Int], _ prefixes: [String]) -> HostView {
            view(
                items + members.map { member(web, port: $0) } + [
                    .addressGroup(HostAddressGroup(id: addresses, addresses: prefixes.map { prefix($0) }))
                ])
        }
        let all = ["10.0.0.8", "10.0.0.9", "192.0.2.9", "198.51.100.9"].map { connection($0, "10.0.0.7") }
        let old = state([8, 9], ["192.0.2.0/24", "198.51.100.9/32"])
        #expect(ended(all, old, state([9], ["192.0.2.0/24", "198.51.100.9/32"])) == [all[0]])
        #expect(ended(all, old, state([8, 9], ["198.51.100.9/32"])) == [all[2]])
        #expect(ended(all, old, state([8, 9, 10], ["192.0.2.0/24", "198.51.100.9/32", "203.0.113.0/24"])).isEmpty)
        #expect(ended(all, nil, old).isEmpty, "after a start everything is asked, and all of it is allowed")
        #expect(ended(all, nil, state([8], [])) == Array(all[1...]))
    }

    @Test("A port that lost a group or its freedom loses connections, one that is gone loses all, and one of stateless groups none")
    func ports() {
        let groups = [group(group, ssh, out), group(web, pings)]
        func state(_ port: HostPort?) -> HostView { view([network()] + groups + (port.map { [.port($0)] } ?? [])) }
        let all = [
            connection("192.0.2.9", "10.0.0.7"), connection("10.0.0.7", "192.0.2.9"), connection("192.0.2.9", "10.0.0.7", 1, type: 8),
        ]
        let old = state(port(7, groups: [group, web]))
        #expect(ended(all, old, state(port(7, groups: [group]))) == [all[2]])
        #expect(ended(all, state(port(7, isSecure: false)), state(port(7, groups: [web]))) == Array(all[0...1]))
        #expect(ended(all, old, state(port(7, isSecure: false))).isEmpty)
        #expect(ended(all, old, state(nil)) == all)
        #expect(ended(all, old, state(port(7, isUp: false, groups: [group]))) == all)
        #expect(ended(all, old, view([network()] + groups + [.port(port(9, addresses: [ip("10.0.0.7")], isSecure: false))])).isEmpty)
        let stateless = group(web, pings, isStateful: false)
        #expect(ended(all, nil, view([network(), stateless, .port(port(7, groups: [web]))])).isEmpty)
    }

    @Test("DHCP goes on whatever the rules are, and a rule of ICMP counts type and code")
    func details() {
        let ping = HostSecurityGroup.Rule(
            direction: .ingress, ipVersion: 4, protocolNumber: 1, portRangeMinimum: 8, portRangeMaximum: 0)
        let lease = TrackedConnection(
            zone: zone, source: ip("10.0.0.7"), destination: ip("10.0.0.2"), protocolNumber: 17, sourcePort: 68, destinationPort: 67)
        let timestamp = connection("10.0.0.9", "10.0.0.7", 1, type: 13)
        let view = view(network(), group(group, ping), .port(port(7, groups: [group])))
        #expect(ended([lease, timestamp, connection("10.0.0.9", "10.0.0.7", 1, type: 8)], nil, view) == [timestamp])
    }

    @Test("DHCPv6 goes on as far as nobody needs a rule for it: to all servers, and from an address of the link")
    func dhcpv6() {
        func message(_ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16) -> TrackedConnection {
            TrackedConnection(
                zone: zone, source: ip(source), destination: ip(destination), protocolNumber: 17, sourcePort: sourcePort,
                destinationPort: destinationPort)
        }
        let view = view(network(), group(group), .port(port(7, addresses: [ip("10.0.0.7"), ip("2001:db8::7")], groups: [group])))
        let good = [message("2001:db8::7", 546, "ff02::1:2", 547), message("fe80::1", 547, "2001:db8::7", 546)]
        let stale = [message("2001:db8::7", 546, "2001:db8::1", 547), message("2001:db8::9", 547, "2001:db8::7", 546)]
        #expect(ended(good + stale, nil, view) == stale)
    }

    @Test("A port with a prefix around others' addresses judges none of their connections, and those of no one's addresses it does")
    func prefixes() {
        let wide = HostPort.Pair(prefix: prefix("10.0.0.0/24"), mac: mac(7))
        func state(_ rules: [HostSecurityGroup.Rule]) -> HostView {
            view(
                network(), .port(port(7, groups: [group], pairs: [wide])), .port(port(8, groups: [web])), group(web, ssh, out),
                .securityGroup(HostSecurityGroup(id: group, rules: Set(rules))))
        }
        let all = ["10.0.0.8", "10.0.0.77", "10.0.0.7"].map { connection("192.0.2.9", $0) }
        #expect(ended(all, state([ssh]), state([])) == Array(all[1...]))
    }

    @Test("Of several ports with one address, all must refuse")
    func sharedAddresses() {
        let shared = ["10.0.0.100/32", "10.0.1.0/24"].map { HostPort.Pair(prefix: prefix($0), mac: mac(7)) }
        func state(_ first: [HostSecurityGroup.Rule], _ second: HostSecurityGroup.Rule...) -> HostView {
            view(
                network(), .port(port(7, groups: [group], pairs: shared)), .port(port(8, groups: [web], pairs: shared)),
                .securityGroup(HostSecurityGroup(id: group, rules: Set(first))),
                .securityGroup(HostSecurityGroup(id: web, rules: Set(second))))
        }
        let all = ["10.0.0.7", "10.0.0.100", "10.0.1.5"].map { connection("192.0.2.9", $0) }
        #expect(ended(all, state([ssh], ssh), state([], ssh)) == [all[0]])
        #expect(ended(all, state([ssh]), state([])) == all)
    }

    @Test("A network that goes has the zone that it had, and one that stays the zone that it has")
    func zonesOfGoneNetworks() throws {
        // Two networks whose numbers collide, the first with the lower id: the second moves when the first goes.
        func ownZone(_ number: Int) -> Int? { ConntrackZones.assign([id(number)])[id(number)] }
        let numbers = Dictionary(grouping: 1000..<60_000, by: ownZone).values.first { $0.count > 1 }
        let (gone, kept) = (try #require(numbers?.first), try #require(numbers?.dropFirst().first))
        let items: [HostItem] = [network(id: id(kept)), .port(port(8, groups: [web], network: id(kept)))]
        let leaving: [HostItem] = [network(id: id(gone)), .port(port(7, groups: [group], network: id(gone)))]
        let old = view(items + leaving + [group(group, ssh), group(web, ssh)])
        let new = view(items + [group(group, ssh), group(web)])
        let judges = ConnectionReview.judges(ConnectionReview.suspects(from: old, to: new), in: new)
        #expect(judges.map(\.zone) == [ownZone(gone), ownZone(kept)])
        let stale = [connection("192.0.2.9", "10.0.0.7", zone: ownZone(gone)), connection("192.0.2.9", "10.0.0.8", zone: ownZone(kept))]
        #expect(ended(stale, old, new) == stale)
    }

    // MARK: Addresses that ports left

    private func neighbours(_ carrier: HostNetwork.Carrier, _ items: [HostItem]) -> HostView {
        view([network(carrier), group(group, ssh, out), group(web, out), .port(port(8, groups: [web]))] + items)
    }

    private func remote(_ number: Int, _ address: String) -> HostItem {
        .remotePort(
            HostRemotePort(
                portID: id(number), networkID: networkID, mac: mac(number), addresses: [ip(address)], endpoint: ip("192.0.2.2")))
    }

    @Test("A port that moved to another host keeps its connections with neighbours; one that is gone does not")
    func moves() {
        let all = [connection("10.0.0.8", "10.0.0.7"), connection("10.0.0.7", "198.51.100.1"), connection("10.0.0.100", "10.0.0.8")]
        let pair = HostPort.Pair(prefix: prefix("10.0.0.100/32"), mac: mac(7))
        let old = neighbours(.vxlan(vni: 77), [.port(port(7, groups: [group], pairs: [pair]))])
        #expect(ended(all, old, neighbours(.vxlan(vni: 77), [remote(7, "10.0.0.7")])).isEmpty)
        #expect(ended(all, old, neighbours(.vxlan(vni: 77), [])) == all)
        #expect(ended(all, old, neighbours(.vxlan(vni: 77), [remote(9, "10.0.0.7")])) == [all[2]], "the address is another's there")
    }

    @Test(
        "Where nobody knows what other hosts have, a neighbour's rules decide on connections of a port that is gone"
    )
    func movesUnseen() {
        let carrier = HostNetwork.Carrier.vlan(physicalNetwork: "physnet1", id: 5)
        let all = [connection("10.0.0.8", "10.0.0.7"), connection("10.0.0.7", "10.0.0.8"), connection("10.0.0.7", "198.51.100.1")]
        let old = neighbours(carrier, [.port(port(7, groups: [group]))])
        let without = neighbours(carrier, [])
        #expect(ended(all, old, without) == Array(all[1...]))
        let heir = neighbours(carrier, [.port(port(9, addresses: [ip("10.0.0.7")], groups: [web]))])
        #expect(ended([all[0]], without, heir) == [all[0]])
        #expect(ended([all[0]], without, neighbours(carrier, [.port(port(7, groups: [group]))])).isEmpty)
    }

    @Test(
        "A port with another address leaves no connections behind, and whoever gets the address is asked for its own rules",
        arguments: [true, false])
    func changedAddress(isSecure: Bool) {
        let carrier = HostNetwork.Carrier.vxlan(vni: 77)
        let old = neighbours(carrier, [.port(port(7, isSecure: isSecure, groups: [group]))])
        let moved = port(7, addresses: [ip("10.0.0.17")], isSecure: isSecure, groups: [group])
        let all = [connection("192.0.2.9", "10.0.0.7"), connection("10.0.0.7", "192.0.2.9")]
        #expect(ended(all, old, neighbours(carrier, [.port(moved)])) == all)
        func inherited(by heir: HostPort) -> [TrackedConnection] { ended(all, old, neighbours(carrier, [.port(moved), .port(heir)])) }
        #expect(inherited(by: port(9, addresses: [ip("10.0.0.7")], groups: [web])) == [all[0]])
        #expect(inherited(by: port(9, addresses: [ip("10.0.0.7")], groups: [group])).isEmpty)
    }
}
