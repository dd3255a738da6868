import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// Whether the security groups of ports on this host still allow connections that are tracked. The kernel lets everything of a known connection
/// pass, so one that only a removed rule allowed must be forgotten: its next packet is then judged by the rules that there are.
///
/// A connection is judged by its first packet. Whoever it came from is asked for its egress rules, whoever it went to for its ingress rules.
public struct ConnectionJudge: Sendable {
    /// The zone that the ports' network has.
    public let zone: Int
    private var exact: [IPAddress: [Int]] = [:]
    private var prefixes: [(prefix: IPPrefix, port: Int)] = []
    private var ports: [Verdict] = []

    /// How a port judges.
    private enum Verdict: Sendable {
        case allowsAll
        case allowsNothing
        case asks(PortRules)
    }

    /// - Parameter suspects: ports of one network of which connections may have lost their rules; those that are not in the view as they are
    ///   here, and those that are down, allow nothing any more.
    init(_ suspects: [HostPort], zone: Int, in view: HostView) {
        self.zone = zone
        var remotes = RemoteAddresses(view)
        var owned: Set<IPAddress> = []
        var gone: [HostPort] = []
        for port in suspects.sorted(by: { $0.id < $1.id }) {
            if view.ports[port.id] == port, port.isAdminStateUp {
                add(port, Self.verdict(port, view, &remotes))
            } else {
                gone.append(port)
            }
        }
        guard !gone.isEmpty else { return }
        // An address that a port left to another one of its network is the other's.
        for network in Set(gone.map(\.networkID)) {
            for port in view.ports.items(of: network) where port.isAdminStateUp {
                owned.formUnion(PortIdentity.pairs(of: port).filter(\.prefix.isHost).map(\.prefix.address))
            }
        }
        for port in gone { add(port, .allowsNothing, besides: owned) }
    }

    private mutating func add(_ port: HostPort, _ verdict: Verdict, besides owned: Set<IPAddress> = []) {
        let index = ports.count
        ports.append(verdict)
        for prefix in Set(PortIdentity.pairs(of: port).map(\.prefix)) {
            if !prefix.isHost {
                // Of a port that is gone, prefixes (allowed address pairs) may be anybody's.
                if owned.isEmpty { prefixes.append((prefix, index)) }
            } else if !owned.contains(prefix.address) {
                exact[prefix.address, default: []].append(index)
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
        return refuses(.egress, connection.source, connection) || refuses(.ingress, connection.destination, connection)
    }

    private func refuses(_ direction: RuleDirection, _ address: IPAddress, _ connection: TrackedConnection) -> Bool {
        if exact[address, default: []].contains(where: { refuses(ports[$0], direction, connection) }) { return true }
        return prefixes.contains { $0.prefix.contains(address) && refuses(ports[$0.port], direction, connection) }
    }

    private func refuses(_ verdict: Verdict, _ direction: RuleDirection, _ connection: TrackedConnection) -> Bool {
        switch verdict {
        case .allowsAll: false
        case .allowsNothing: true
        case .asks(let rules): !rules.allow(direction, connection)
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
        let client: (UInt16, UInt16) = connection.source.version == .v4 ? (68, 67) : (546, 547)
        let ports = (connection.sourcePort, connection.destinationPort)
        return direction == .egress ? ports == client : ports == (client.1, client.0)
    }
}
