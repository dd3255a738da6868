import HostModel
import HostProjection
import NetworkModel
import Testing

/// Instance ports, security groups and their members.
@Suite struct SecurityGroupItemTests {
    private func groupItem(_ topology: Topology, _ group: Int, _ host: String) -> HostSecurityGroup? {
        guard case .securityGroup(let item) = topology.item(HostItemKey(.securityGroup, groupID(group)), for: host) else { return nil }
        return item
    }

    private func memberItem(_ topology: Topology, _ port: Int, of group: Int, _ host: String) -> HostGroupMember? {
        let key = HostItemKey(.groupMember, portID(port), of: groupID(group))
        guard case .groupMember(let item) = topology.item(key, for: host) else { return nil }
        return item
    }

    @Test("An instance's port is wired on its host with all that filtering needs")
    func port() {
        let topology = Topology(rows: [
            HostProjectionTests.port(1, on: 1, host: "h1", addresses: [(1, "10.0.0.5"), (2, "fd00::5")], groups: [2, 1]) {
                $0.isAdminStateUp = false
                $0.allowedAddressPairs = [AddressPair(prefix: prefix("10.0.0.100/32"), mac: $0.mac)]
                $0.standard.revisionNumber = 7
            }
        ])
        guard case .port(let item) = topology.item(HostItemKey(.port, portID(1)), for: "h1") else {
            Issue.record("the port is on its host")
            return
        }
        #expect(item.networkID == networkID(1))
        #expect(item.addresses == [address("10.0.0.5"), address("fd00::5")])
        #expect(!item.isAdminStateUp)
        #expect(item.isPortSecurityEnabled)
        #expect(item.securityGroupIDs == [groupID(1), groupID(2)])
        #expect(item.allowedAddressPairs == [HostPort.Pair(prefix: prefix("10.0.0.100/32"), mac: item.mac)])
        #expect(item.revision == 7)
        #expect(topology.item(HostItemKey(.port, portID(1)), for: "h2") == nil)
    }

    @Test("A port that is unbound or owned by the network is wired nowhere as an instance's port")
    func otherPorts() {
        let topology = Topology(rows: [
            HostProjectionTests.port(1, on: 1), HostProjectionTests.port(2, on: 1, host: "h1", owner: DeviceOwner.dhcp),
        ])
        #expect(topology.item(HostItemKey(.port, portID(1)), for: "") == nil)
        #expect(topology.item(HostItemKey(.port, portID(2)), for: "h1") == nil)
    }

    @Test("A group is on the hosts of its instances, with its rules")
    func group() {
        let topology = Topology(rows: [
            HostProjectionTests.group(1), HostProjectionTests.group(2),
            rule(1, of: 1) {
                $0.networkProtocol = "tcp"
                $0.portRangeMinimum = 22
                $0.portRangeMaximum = 23
                $0.remotePrefix = prefix("10.0.0.0/8")
            },
            rule(2, of: 1) {
                $0.direction = .egress
                $0.version = .v6
            },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
            HostProjectionTests.port(2, on: 1, host: "h2", owner: DeviceOwner.dhcp, groups: [1]),
        ])
        #expect(
            groupItem(topology, 1, "h1")?.rules == [
                HostSecurityGroup.Rule(
                    direction: .ingress, ipVersion: 4, protocolNumber: 6, portRangeMinimum: 22, portRangeMaximum: 23,
                    remotePrefix: prefix("10.0.0.0/8")),
                HostSecurityGroup.Rule(direction: .egress, ipVersion: 6),
            ])
        #expect(groupItem(topology, 2, "h1") == nil, "no port there uses it")
        #expect(groupItem(topology, 1, "h2") == nil, "ports of the network are not filtered")
    }

    @Test(
        "A rule's protocol becomes its number",
        arguments: [
            ("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58), ("ipv6-icmp", 58), ("sctp", 132), ("vrrp", 112), ("ah", 51), ("esp", 50),
            ("gre", 47), ("ospf", 89), ("TCP", 6), ("6", 6), ("255", 255), ("any", nil), ("0", nil), (nil, nil),
        ] as [(String?, Int?)])
    func protocolNumber(text: String?, number: Int?) {
        let topology = Topology(rows: [
            HostProjectionTests.group(1), rule(1, of: 1) { $0.networkProtocol = text },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
        ])
        #expect(groupItem(topology, 1, "h1")?.rules == [.init(direction: .ingress, ipVersion: 4, protocolNumber: number)])
    }

    @Test("ICMP in a rule for IPv6 is ICMPv6", arguments: ["icmp", "1", "icmpv6", "58"])
    func icmpVersion6(text: String) {
        let topology = Topology(rows: [
            HostProjectionTests.group(1),
            rule(1, of: 1) {
                $0.version = .v6
                $0.networkProtocol = text
            },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
        ])
        #expect(groupItem(topology, 1, "h1")?.rules == [.init(direction: .ingress, ipVersion: 6, protocolNumber: 58)])
    }

    @Test("A rule whose protocol nobody knows permits nothing", arguments: ["nonsense", "256", "-1", ""])
    func unknownProtocol(text: String) {
        let topology = Topology(rows: [
            HostProjectionTests.group(1), rule(1, of: 1) { $0.networkProtocol = text },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
        ])
        #expect(groupItem(topology, 1, "h1")?.rules == [])
    }

    @Test("Members of a remote group are on each host with a group whose rules name it, wherever the members are")
    func members() {
        let topology = Topology(rows: [
            HostProjectionTests.group(1), HostProjectionTests.group(2), rule(1, of: 1) { $0.remoteGroupID = groupID(2) },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
            HostProjectionTests.port(2, on: 1, host: "h2", addresses: [(1, "10.0.0.6"), (2, "fd00::6")], groups: [2]) {
                $0.allowedAddressPairs = [
                    AddressPair(prefix: prefix("10.1.0.0/24"), mac: $0.mac), AddressPair(prefix: prefix("10.0.0.6/32"), mac: $0.mac),
                ]
            },
            HostProjectionTests.port(3, on: 1, addresses: [(1, "10.0.0.7")], groups: [2]),
        ])
        #expect(
            memberItem(topology, 2, of: 2, "h1")?.addresses == [prefix("10.0.0.6/32"), prefix("10.1.0.0/24"), prefix("fd00::6/128")])
        #expect(memberItem(topology, 3, of: 2, "h1") != nil, "also before it is bound")
        #expect(memberItem(topology, 2, of: 2, "h2") == nil, "no rule there names the group")
        #expect(memberItem(topology, 1, of: 1, "h1") == nil, "no rule names the group")
    }

    @Test("A port without addresses, or that is administratively down, is no member")
    func noMember() {
        let topology = Topology(rows: [
            HostProjectionTests.group(1), rule(1, of: 1) { $0.remoteGroupID = groupID(1) },
            HostProjectionTests.port(1, on: 1, host: "h1", groups: [1]),
            HostProjectionTests.port(2, on: 1, host: "h1", addresses: [(1, "10.0.0.6")], groups: [1]) { $0.isAdminStateUp = false },
            HostProjectionTests.port(3, on: 1, host: "h1", addresses: [(1, "10.0.0.7")], groups: [1]),
        ])
        #expect(memberItem(topology, 1, of: 1, "h1") == nil)
        #expect(memberItem(topology, 2, of: 1, "h1") == nil)
        #expect(memberItem(topology, 3, of: 1, "h1") != nil)
    }
}
