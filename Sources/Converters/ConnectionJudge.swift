import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Whether the security groups of ports on this host still allow connections that are tracked. The kernel lets everything of a known connection
/// pass, so one that only a removed rule allowed must be forgotten: its next packet is then judged by the rules that there are.
///
/// A connection is judged by its first packet. Whoever it came from is asked for its egress rules, whoever it went to for its ingress rules. An
/// address that several ports have may be used by any of them, so all of them must refuse. A port that has the address itself comes before those that
/// have a prefix around it.
public struct ConnectionJudge: Sendable {
    /// The zone that the ports' network has.
    public let zone: Int
    private var ports: [Holder] = []
    private var exact: [IPAddress: [Int]] = [:]
    private var prefixes: [(prefix: IPPrefix, port: Int)] = []
    private let left: LeftAddresses

    /// A port of the network that is here and up.
    private struct Holder: Sendable {
        var isSuspect: Bool
        var verdict: Verdict
    }

    /// How a port judges.
    private enum Verdict: Sendable {
        case allowsAll
        case asks(PortRules)
    }

    /// - Parameter suspects: ports of the network of which connections may have lost their rules; those that are not in the view as they are
    ///   here, and those that are down, have left their addresses.
    init(_ suspects: [HostPort], on network: ResourceID, zone: Int, in view: HostView) {
        self.zone = zone
        let present = suspects.filter { view.ports[$0.id] == $0 && $0.isAdminStateUp }
        let ids = Set(present.map(\.id))
        left = LeftAddresses(of: suspects.filter { !ids.contains($0.id) || view.ports[$0.id] != $0 }, on: network, in: view)
        let suspected = Set(present.flatMap(PortIdentity.pairs).map(\.prefix))
        let hasPrefixes = suspected.contains { !$0.isHost }
        var remotes = RemoteAddresses(view)
        for port in view.ports.items(of: network) where port.isAdminStateUp {
            let pairs = Set(PortIdentity.pairs(of: port).map(\.prefix))
            // Of others nobody asks for the rules.
            let isAsked =
                left.asksPeers || ids.contains(port.id) || pairs.contains { $0.isHost ? suspected.contains($0) : hasPrefixes }
            let verdict = isAsked ? Self.verdict(port, view, &remotes) : .allowsAll
            ports.append(Holder(isSuspect: ids.contains(port.id), verdict: verdict))
            for prefix in pairs {
                if prefix.isHost {
                    exact[prefix.address, default: []].append(ports.count - 1)
                } else {
                    prefixes.append((prefix, ports.count - 1))
                }
            }
        }
    }

    private static func verdict(_ port: HostPort, _ view: HostView, _ remotes: inout RemoteAddresses) -> Verdict {
        guard port.isPortSecurityEnabled else { return .allowsAll }
        let groups = port.securityGroupIDs.compactMap { view.securityGroups[$0] }
        // Such a port asks no connection's state.
        if !groups.isEmpty, groups.allSatisfy({ !$0.isStateful }) { return .allowsAll }
        let rules = groups.flatMap(\.rules)
        for rule in rules { remotes.prepare(rule) }
        return .asks(PortRules(rules: rules, remotes: remotes))
    }

    /// Whether the rules that there are do not allow the connection.
    public func mustEnd(_ connection: TrackedConnection) -> Bool {
        guard connection.zone == zone else { return false }
        return refuses(.egress, connection) || refuses(.ingress, connection)
    }

    private func refuses(_ direction: RuleDirection, _ connection: TrackedConnection) -> Bool {
        let (address, peer) =
            direction == .egress ? (connection.source, connection.destination) : (connection.destination, connection.source)
        let holders = holders(of: address)
        guard holders.isEmpty else { return holders.contains { ports[$0].isSuspect } && areAgainst(holders, direction, connection) }
        guard left.contains(address) else { return false }
        return !left.asksPeers || areAgainst(self.holders(of: peer), direction == .egress ? .ingress : .egress, connection)
    }

    private func holders(of address: IPAddress) -> [Int] {
        if let holders = exact[address] { return holders }
        return prefixes.isEmpty ? [] : prefixes.filter { $0.prefix.contains(address) }.map(\.port)
    }

    private func areAgainst(_ holders: [Int], _ direction: RuleDirection, _ connection: TrackedConnection) -> Bool {
        holders.allSatisfy { holder in
            switch ports[holder].verdict {
            case .allowsAll: false
            case .asks(let rules): !rules.allow(direction, connection)
            }
        }
    }
}

/// Addresses that ports of a network left, and that no port on this host has now: their connections are nobody's, and whoever gets such an address next
/// must not inherit them.
///
/// A port that moved to another host keeps its connections there, and its neighbours here must keep their ends of them. Of tunnelled networks it is known
/// which addresses are on other hosts. On others they may be anywhere: there the rules of the port at the other end decide.
private struct LeftAddresses: Sendable {
    private var hosts: Set<IPAddress> = []
    private var prefixes: [IPPrefix] = []
    private var elsewhere: Set<IPAddress> = []
    /// Whether the port at the other end decides.
    let asksPeers: Bool

    init(of ports: [HostPort], on network: ResourceID, in view: HostView) {
        asksPeers = !ports.isEmpty && view.networks[network]?.mayHaveUnknownPorts == true
        guard !ports.isEmpty else { return }
        elsewhere = Set(view.remotePorts.items(of: network).flatMap(\.addresses))
        for port in ports {
            // What it may call itself besides went with it.
            let hasMoved = view.remotePorts[port.id]?.networkID == network
            let own = Set(port.addresses)
            for prefix in PortIdentity.pairs(of: port).map(\.prefix) {
                if !prefix.isHost {
                    if !hasMoved { prefixes.append(prefix) }
                } else if !elsewhere.contains(prefix.address), !hasMoved || own.contains(prefix.address) {
                    hosts.insert(prefix.address)
                }
            }
        }
    }

    func contains(_ address: IPAddress) -> Bool {
        hosts.contains(address) || !elsewhere.contains(address) && prefixes.contains { $0.contains(address) }
    }
}

extension HostNetwork {
    /// Whether other hosts may have ports of the network that this host is not told of.
    var mayHaveUnknownPorts: Bool {
        switch carrier {
        case .flat, .vlan: true
        case .local, .vxlan: false
        }
    }
}

/// The addresses of the remote groups that rules name.
private struct RemoteAddresses: Sendable {
    private struct Addresses: Sendable {
        var hosts: Set<IPAddress> = []
        var prefixes: [IPPrefix] = []

        func contains(_ address: IPAddress) -> Bool { hosts.contains(address) || prefixes.contains { $0.contains(address) } }
    }

    private let view: HostView
    private var groups: [RemoteGroup: Addresses] = [:]

    init(_ view: HostView) { self.view = view }

    mutating func prepare(_ rule: HostSecurityGroup.Rule) {
        guard let group = RemoteGroup(rule), groups[group] == nil else { return }
        var addresses = Addresses()
        for prefix in group.addresses(in: view) where prefix.version == group.version {
            if prefix.isHost { addresses.hosts.insert(prefix.address) } else { addresses.prefixes.append(prefix) }
        }
        groups[group] = addresses
    }

    func contains(_ address: IPAddress, _ group: RemoteGroup) -> Bool { groups[group]?.contains(address) == true }
}

/// The rules of all groups of a port, which say what ``SecurityGroupRuleText`` has nft say.
private struct PortRules: Sendable {
    var rules: [HostSecurityGroup.Rule]
    var remotes: RemoteAddresses

    func allow(_ direction: RuleDirection, _ connection: TrackedConnection) -> Bool {
        if Self.isService(direction, connection) { return true }
        let remote = direction == .egress ? connection.destination : connection.source
        return rules.contains { rule in
            rule.direction == direction && rule.ipVersion == remote.version.rawValue && SecurityGroupRuleText.isPossible(rule)
                && Self.hasTransport(rule, connection) && isRemote(rule, remote)
        }
    }

    private func isRemote(_ rule: HostSecurityGroup.Rule, _ address: IPAddress) -> Bool {
        if let prefix = rule.remotePrefix, !prefix.contains(address) { return false }
        return RemoteGroup(rule).map { remotes.contains(address, $0) } ?? true
    }

    private static func hasTransport(_ rule: HostSecurityGroup.Rule, _ connection: TrackedConnection) -> Bool {
        guard let number = rule.protocolNumber else { return true }
        if number == 1 || number == 58 {
            guard connection.protocolNumber == (rule.ipVersion == 4 ? 1 : 58) else { return false }
            return (rule.portRangeMinimum.map { $0 == Int(connection.icmpType) } ?? true)
                && (rule.portRangeMinimum == nil || rule.portRangeMaximum.map { $0 == Int(connection.icmpCode) } ?? true)
        }
        guard number == connection.protocolNumber else { return false }
        guard SecurityGroupRuleText.protocolsWithPorts.keys.contains(number), let minimum = rule.portRangeMinimum ?? rule.portRangeMaximum
        else { return true }
        return (minimum...max(minimum, rule.portRangeMaximum ?? minimum)).contains(Int(connection.destinationPort))
    }

    /// What every guarded port may do without a rule (``SecurityGroupChains``).
    private static func isService(_ direction: RuleDirection, _ connection: TrackedConnection) -> Bool {
        guard connection.protocolNumber == 17 else { return false }
        let ports = (connection.sourcePort, connection.destinationPort)
        return switch (connection.source.version, direction) {
        case (.v4, .egress): ports == (68, 67)
        case (.v4, .ingress): ports == (67, 68)
        case (.v6, .egress): ports == (546, 547) && connection.destination == allServers
        case (.v6, .ingress): ports == (547, 546) && linkLocal?.contains(connection.source) == true
        }
    }

    /// ff02::1:2, where clients of DHCPv6 find relays and servers (RFC 8415, section 7.1).
    private static let allServers = IPAddress.v6(IPv6Address(rawValue: 0xFF02 << 112 | 0x1_0002))
    private static let linkLocal = IPPrefix(masking: .v6(IPv6Address(rawValue: 0xFE80 << 112)), length: 10)
}
