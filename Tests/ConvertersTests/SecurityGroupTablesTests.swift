import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("Security groups from view to view")
struct SecurityGroupTablesTests {
    @Test("Tables that are carried from view to view are what a fresh conversion gives", arguments: [true, false], 1...20)
    func oracle(hasBridgeConntrack: Bool, seed: Int) {
        var settings = settings
        settings.hasBridgeConntrack = hasBridgeConntrack
        var generator = SeededGenerator(seed: seed)
        var carried = SecurityGroupTables(settings)
        var current = HostView()
        for _ in 0..<60 {
            for _ in 0...Int.random(in: 0...3, using: &generator) { Self.change(&current, &generator) }
            let links = L2Converter.convert(current, settings).links
            #expect(carried.update(current, links: links) == SecurityGroupConverter.convert(current, links: links, settings))
        }
    }

    @Test("A new member leaves every set but its own as it was, storage included")
    func storage() throws {
        let group = id(100)
        let items: [HostItem] = [network(), .securityGroup(defaultGroup(group)), .port(port(7, groups: [group])), member(group, port: 7)]
        var tables = SecurityGroupTables(settings)
        let before = tables.update(view(items), links: [:])
        let after = tables.update(view(items + [member(group, port: 8)]), links: [:])
        #expect(before[0].chains == after[0].chains)
        let changed = after[0].sets.filter { before[0].sets[$0.key] != $0.value }
        #expect(Array(changed.keys) == ["members_ipv4_\(group)"])
    }

    private static func change(_ view: inout HostView, _ generator: inout SeededGenerator) {
        let number = Int.random(in: 7...12, using: &generator)
        let group = id(Int.random(in: 100...103, using: &generator))
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: view.put(network(id: id(Int.random(in: 1...2, using: &generator))))
        case 1: view.drop(HostItemKey(.network, id(Int.random(in: 1...2, using: &generator))))
        case 2, 3, 4:
            let groups = (100...103).map { id($0) }.filter { _ in Bool.random(using: &generator) }
            let pairs = [
                HostPort.Pair(prefix: prefix("10.0.0.66/32"), mac: mac(number)), .init(prefix: prefix("2001:db8::/64"), mac: mac(70)),
            ].filter { _ in Bool.random(using: &generator) }
            view.put(
                .port(
                    port(
                        number, isUp: Int.random(in: 0..<5, using: &generator) > 0, isSecure: Int.random(in: 0..<4, using: &generator) > 0,
                        groups: groups, pairs: pairs)))
        case 5: view.drop(HostItemKey(.port, id(number)))
        case 6, 7:
            let all: [HostSecurityGroup.Rule] = [
                .init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4, remoteGroupID: id(101)),
                .init(direction: .ingress, ipVersion: 6, remoteGroupID: id(102)),
                .init(direction: .ingress, ipVersion: 4, remoteAddressGroupID: id(110)),
                .init(direction: .egress, ipVersion: 6, protocolNumber: 6, portRangeMinimum: 22),
            ]
            let rules = Set(all.filter { _ in Bool.random(using: &generator) })
            view.put(.securityGroup(HostSecurityGroup(id: group, rules: rules, isStateful: Bool.random(using: &generator))))
        case 8: view.drop(HostItemKey(.securityGroup, group))
        case 9:
            let all = ["10.0.0.\(number)/32", "10.0.0.66/32", "10.2.0.0/16", "10.2.3.0/24", "2001:db8::\(number)/128"].map { prefix($0) }
            let addresses = all.filter { _ in Bool.random(using: &generator) }
            view.put(.groupMember(HostGroupMember(groupID: group, portID: id(number), addresses: addresses)))
        case 10: view.drop(HostItemKey(.groupMember, id(number), of: group))
        default:
            let addresses = ["192.0.2.0/24", "192.0.2.9/32", "2001:db8::/32"].map { prefix($0) }.filter { _ in
                Bool.random(using: &generator)
            }
            view.put(.addressGroup(HostAddressGroup(id: id(110), addresses: addresses)))
        }
    }
}
