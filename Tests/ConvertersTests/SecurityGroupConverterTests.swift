import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("Security groups")
struct SecurityGroupConverterTests {
    let groupA = id(100)
    let groupB = id(101)

    func tables(_ view: HostView, _ settings: AgentSettings = settings) -> [FirewallTable] {
        HostConverter.convert(view, settings).configuration.own.firewall
    }

    func bridgeTable(_ view: HostView) throws -> FirewallTable {
        try #require(tables(view).first { $0.family == .bridge && $0.name == "neutrino" })
    }

    private func rules(_ rule: HostSecurityGroup.Rule, members: [String] = []) -> [String] {
        SecurityGroupRuleText.matches(rule, members: members)
    }

    @Test("A port of stateless groups only asks no connection's state, and one of an address group's rules asks its sets")
    func statelessAndAddresses() throws {
        let addresses = id(102)
        let table = try bridgeTable(
            view(
                network(),
                .securityGroup(
                    HostSecurityGroup(
                        id: groupA, rules: [.init(direction: .ingress, ipVersion: 4, remoteAddressGroupID: addresses)], isStateful: false)),
                .addressGroup(
                    HostAddressGroup(
                        id: addresses,
                        addresses: [prefix("10.0.0.5/32"), prefix("192.0.2.0/24"), prefix("192.0.2.9/32"), prefix("2001:db8::/32")])),
                .port(port(7, groups: [groupA]))))
        #expect(table.chains["from_\(groupA)"]?.rules == ["jump from_stateless", "jump egress_\(groupA)", DropReason.refusedEgress.drop])
        #expect(table.chains["to_\(groupA)"]?.rules == ["jump to_stateless", "jump ingress_\(groupA)", DropReason.refusedIngress.drop])
        for chain in ["from_stateless", "to_stateless"] {
            let rules = try #require(table.chains[chain]).rules
            #expect(rules.allSatisfy { !$0.contains("ct state") && !$0.contains("mark") })
        }
        #expect(
            table.chains["ingress_\(groupA)"]?.rules == [
                "ether type ip ip saddr @addresses_ipv4_\(addresses) accept", "ether type ip ip saddr @ranges_ipv4_\(addresses) accept",
            ])
        #expect(table.sets["addresses_ipv4_\(addresses)"]?.elements == ["10.0.0.5", "192.0.2.9"])
        #expect(table.sets["ranges_ipv4_\(addresses)"]?.elements == ["192.0.2.0/24"])
    }

    // MARK: Ports

    @Test("Every drop is counted by its reason, and nothing passes when the rules are flushed")
    func counters() throws {
        let table = try bridgeTable(view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA]))))
        for (name, chain) in table.chains {
            for rule in chain.rules where rule.hasSuffix("drop") {
                let words = rule.split(separator: " ")
                let reason = try #require(words.dropLast().last.map(String.init))
                #expect(words.suffix(4).starts(with: ["counter", "name"]) && table.objects[reason]?.kind == "counter", "\(name): \(rule)")
            }
        }
        #expect(table.chains["forward"]?.hook?.hasSuffix("policy drop;") == true)
    }

    @Test("A host without ports passes no frame from or to any tap device")
    func emptyHost() throws {
        let table = try bridgeTable(view())
        #expect(table.chains["prerouting"]?.rules.contains("iifname \"tap*\" counter name unknown_device drop") == true)
        #expect(table.chains["deliver"]?.rules == ["oifname vmap @to_port", "oifname \"tap*\" counter name unknown_device drop", "accept"])
        #expect(table.sets.values.allSatisfy { $0.elements.isEmpty })
    }

    @Test("A port is only elements: its MAC, its addresses, and the chains of its groups")
    func elements() throws {
        let empty = try bridgeTable(view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA]))))
        let table = try bridgeTable(
            view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA])), .port(port(8, groups: [groupA]))))
        #expect(table.chains == empty.chains)
        #expect(table.sets["guarded"]?.elements == ["\"\(tap(7))\"", "\"\(tap(8))\""])
        #expect(
            table.sets["port_ipv4"]?.elements == [
                "\"\(tap(7))\" . fa:16:3e:00:00:07 . 10.0.0.7", "\"\(tap(8))\" . fa:16:3e:00:00:08 . 10.0.0.8",
            ])
        #expect(table.sets["port_ipv6"]?.elements.contains("\"\(tap(7))\" . fa:16:3e:00:00:07 . fe80::f816:3eff:fe00:7") == true)
        #expect(table.sets["from_port"]?.elements.contains("\"\(tap(7))\" : goto from_\(groupA)") == true)
        #expect(table.sets["to_port"]?.elements.contains("\"\(tap(7))\" : goto to_\(groupA)") == true)
    }

    @Test("A port that is administratively down has no elements and so passes nothing")
    func administrativelyDown() throws {
        let table = try bridgeTable(view(network(), .port(port(7, isUp: false))))
        #expect(table.sets.values.allSatisfy { set in set.elements.allSatisfy { !$0.contains(tap(7)) } })
    }

    @Test("A port without port security is trusted")
    func portSecurityOff() throws {
        let table = try bridgeTable(view(network(), .port(port(7, isSecure: false))))
        #expect(table.sets["trusted"]?.elements == ["\"\(tap(7))\""])
        #expect(table.sets["to_port"]?.elements == ["\"\(tap(7))\" : accept"])
        #expect(table.sets["guarded"]?.elements == [])
    }

    @Test("A port without groups, or whose groups are not known, gets the chains that allow only DHCP, ARP and replies")
    func withoutGroups() throws {
        for groups in [[], [groupA]] {
            let table = try bridgeTable(view(network(), .port(port(7, groups: groups))))
            #expect(table.sets["from_port"]?.elements == ["\"\(tap(7))\" : goto from_none"])
            #expect(table.chains["to_none"]?.rules == ["jump to_any", DropReason.refusedIngress.drop])
        }
    }

    @Test("A port with several groups asks each of them, whatever their order, and drops what none allows")
    func combinations() throws {
        let table = try bridgeTable(
            view(
                network(), .securityGroup(defaultGroup(groupA)), .securityGroup(HostSecurityGroup(id: groupB)),
                .port(port(7, groups: [groupA, groupB])), .port(port(8, groups: [groupB, groupA])), .port(port(9, groups: [groupB]))))
        let several = SecurityGroupTable.combinationName([groupA, groupB])
        #expect(
            table.chains["to_\(several)"]?.rules == [
                "jump to_any", "jump ingress_\(groupA)", "jump ingress_\(groupB)", DropReason.refusedIngress.drop,
            ])
        #expect(
            table.chains["from_\(several)"]?.rules == [
                "jump from_any", "jump egress_\(groupA)", "jump egress_\(groupB)", DropReason.refusedEgress.drop,
            ])
        #expect(table.chains["to_\(groupB)"]?.rules == ["jump to_any", "jump ingress_\(groupB)", DropReason.refusedIngress.drop])
        #expect(table.sets["to_port"]?.elements.contains("\"\(tap(8))\" : goto to_\(several)") == true)
        #expect(table.chains.keys.filter { $0.hasPrefix("to_") && $0 != "to_ipv6" }.count == 3)
    }

    @Test("Allowed address pairs add their MACs and addresses, prefixes in a set of their own and only the largest of those that overlap")
    func addressPairs() throws {
        let pairs: [HostPort.Pair] = [
            .init(prefix: prefix("10.0.0.99/32"), mac: mac(7)), .init(prefix: prefix("10.1.0.0/16"), mac: mac(7)),
            .init(prefix: prefix("10.1.2.0/24"), mac: mac(7)), .init(prefix: prefix("10.1.2.0/24"), mac: mac(200)),
        ]
        let table = try bridgeTable(view(network(), .port(port(7, pairs: pairs))))
        let device = "\"\(tap(7))\""
        #expect(table.sets["port_macs"]?.elements == ["\(device) . \(mac(7))", "\(device) . \(mac(200))"])
        #expect(table.sets["port_ipv4"]?.elements == ["\(device) . \(mac(7)) . 10.0.0.7", "\(device) . \(mac(7)) . 10.0.0.99"])
        #expect(
            table.sets["port_ipv4_prefixes"]?.elements == [
                "\(device) . \(mac(7)) . 10.1.0.0/16", "\(device) . \(mac(200)) . 10.1.2.0/24",
            ])
    }

    // MARK: Groups

    @Test("A new member is one element in one set, and no chain changes")
    func members() throws {
        let items: [HostItem] = [
            network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA])), member(groupA, port: 7),
        ]
        let before = try bridgeTable(view(items))
        let after = try bridgeTable(view(items + [member(groupA, port: 8)]))
        #expect(before.chains == after.chains)
        let name = "members_ipv4_\(groupA)"
        #expect(before.sets[name]?.elements == ["10.0.0.7"])
        #expect(after.sets[name]?.elements == ["10.0.0.7", "10.0.0.8"])
        var sets = after.sets
        sets[name] = before.sets[name]
        #expect(sets == before.sets)
    }

    @Test("A remote group without members has an empty set, which matches nothing")
    func emptyRemoteGroup() throws {
        let table = try bridgeTable(view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA]))))
        #expect(table.sets["members_ipv4_\(groupA)"]?.elements == [])
        #expect(
            table.chains["ingress_\(groupA)"]?.rules == [
                "ether type ip ip saddr @members_ipv4_\(groupA) accept", "ether type ip6 ip6 saddr @members_ipv6_\(groupA) accept",
            ])
        #expect(table.chains["egress_\(groupA)"]?.rules == ["ether type ip goto deliver", "ether type ip6 goto deliver"])
    }

    @Test("Members with larger prefixes add a set of intervals that do not overlap")
    func memberPrefixes() throws {
        let wide = HostItem.groupMember(
            HostGroupMember(
                groupID: groupA, portID: id(8), addresses: [prefix("10.0.0.8/32"), prefix("10.2.0.0/16"), prefix("10.2.3.0/24")]))
        let table = try bridgeTable(
            view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA])), member(groupA, port: 7), wide))
        #expect(
            table.sets["prefixes_ipv4_\(groupA)"]
                == FirewallTable.ElementSet(type: "type ipv4_addr", flags: ["interval"], elements: ["10.2.0.0/16"]))
        #expect(table.chains["ingress_\(groupA)"]?.rules.contains("ether type ip ip saddr @prefixes_ipv4_\(groupA) accept") == true)
    }

    @Test("Groups that no guarded port of the host has make no chains")
    func unusedGroups() throws {
        let table = try bridgeTable(view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, isSecure: false))))
        #expect(table.chains.keys.allSatisfy { !$0.hasPrefix("ingress_") })
    }

    // MARK: Rules

    @Test("Ingress rules look at the source, egress rules at the destination")
    func directions() {
        let cidr = prefix("192.0.2.0/24")
        #expect(rules(.init(direction: .ingress, ipVersion: 4, remotePrefix: cidr)) == ["ether type ip ip saddr 192.0.2.0/24"])
        #expect(rules(.init(direction: .egress, ipVersion: 4, remotePrefix: cidr)) == ["ether type ip ip daddr 192.0.2.0/24"])
        #expect(
            rules(.init(direction: .egress, ipVersion: 6, remotePrefix: prefix("2001:db8::/32")))
                == ["ether type ip6 ip6 daddr 2001:db8::/32"])
        #expect(rules(.init(direction: .egress, ipVersion: 4, remotePrefix: prefix("0.0.0.0/0"))) == ["ether type ip"])
        #expect(rules(.init(direction: .ingress, ipVersion: 6, remotePrefix: cidr)) == [])
    }

    @Test("A remote group stands once for each of its sets")
    func remoteGroupSets() {
        #expect(
            rules(
                .init(direction: .ingress, ipVersion: 4, protocolNumber: 6, portRangeMinimum: 22, remoteGroupID: groupA),
                members: ["a", "b"])
                == ["ether type ip ip saddr @a tcp dport 22", "ether type ip ip saddr @b tcp dport 22"])
        #expect(rules(.init(direction: .ingress, ipVersion: 4, remoteGroupID: groupA)) == [])
    }

    @Test(
        "Protocols, ports, ICMP types and codes are written as nft knows them",
        arguments: [
            (6, 22, 22, "tcp dport 22"), (6, 22, 23, "tcp dport 22-23"), (6, nil, nil, "meta l4proto 6"),
            (17, 1, 65535, "udp dport 1-65535"),
            (132, 5, 5, "sctp dport 5"), (136, 5, 6, "udplite dport 5-6"), (33, 5, 6, "dccp dport 5-6"), (47, nil, nil, "meta l4proto 47"),
            (1, 8, nil, "icmp type 8"), (1, 8, 0, "icmp type 8 icmp code 0"), (1, nil, nil, "meta l4proto 1"),
        ] as [(Int, Int?, Int?, String)])
    func protocols(number: Int, minimum: Int?, maximum: Int?, text: String) {
        let rule = HostSecurityGroup.Rule(
            direction: .ingress, ipVersion: 4, protocolNumber: number, portRangeMinimum: minimum, portRangeMaximum: maximum)
        #expect(rules(rule) == ["ether type ip \(text)"])
    }

    @Test(
        "A rule that nft would refuse matches nothing and spoils no other",
        arguments: [(6, 8, 0), (17, 1, 70000), (6, -1, 5), (1, 256, 0), (1, 8, 256), (256, nil, nil)] as [(Int, Int?, Int?)])
    func impossible(number: Int, minimum: Int?, maximum: Int?) {
        let rule = HostSecurityGroup.Rule(
            direction: .ingress, ipVersion: 4, protocolNumber: number, portRangeMinimum: minimum, portRangeMaximum: maximum)
        #expect(rules(rule) == [])
    }

    @Test("ICMP of an IPv6 rule is ICMPv6, under either number")
    func icmpv6() {
        for number in [1, 58] {
            let rule = HostSecurityGroup.Rule(direction: .ingress, ipVersion: 6, protocolNumber: number, portRangeMinimum: 128)
            #expect(rules(rule) == ["ether type ip6 icmpv6 type 128"])
        }
    }

    // MARK: Connection state

    @Test("Each network has a conntrack zone that other networks do not move")
    func zones() throws {
        let many = (1...300).map { id($0) }
        let zones = ConntrackZones.assign(many)
        #expect(Set(zones.values).count == 300)
        #expect(zones.values.allSatisfy { (ConntrackZones.first...ConntrackZones.last).contains($0) })
        let fewer = ConntrackZones.assign(many.filter { $0 != id(150) })
        #expect(fewer.filter { zones[$0] != $1 }.count <= 1)
        let state = try #require(tables(view(network())).first { $0.name == "neutrino_state" })
        let zone = try #require(ConntrackZones.assign([networkID])[networkID])
        #expect(state.sets["zones"]?.elements == ["\"brq00000001-00\" : \(zone)"])
    }

    @Test("With bridge conntrack groups have one table, zones go by device, and no rule looks at marks of packets")
    func bridgeConntrack() throws {
        var native = settings
        native.hasBridgeConntrack = true
        let tables = tables(view(network(), .port(port(7))), native)
        #expect(tables.map(\.name) == ["neutrino", "neutrino_underlay"])
        let zone = try #require(ConntrackZones.assign([networkID])[networkID])
        #expect(tables[0].sets["zones"]?.elements == ["\"\(tap(7))\" : \(zone)", "\"vxlan-77\" : \(zone)"])
        #expect(tables[0].chains["to_any"]?.rules.contains("ct state established,related accept") == true)
        #expect(tables[0].chains["from_any"]?.rules.contains { $0.contains("mark") } == false)
    }
}
