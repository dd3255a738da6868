import APISchema
import AccessPolicy
import NetworkModel
import Store

// Who has a QoS policy: ports, networks, floating IPs and gateways of routers.

extension Verb {
    /// The vnic types whose traffic passes the host's bridges, where rules are enforced. Others go past them, through the card.
    private static let enforcedVNICType = "normal"
    /// Ids that one statement names at most: databases bound the number of arguments.
    private static let maximumIDsPerStatement = 500

    /// The policy that a request gives to something: nil when it does not speak of it, and inside that nil when it takes it away.
    func qosPolicy(_ given: ResourceID??) throws -> ResourceID?? {
        if case .some(.some(let id)) = given { _ = try visible(QoSPolicy.self, id) }
        return given
    }

    /// The same for a port or a network that may have one: a policy that the caller cannot see was given by an administrator, and stays.
    func qosPolicy(_ given: ResourceID??, insteadOf current: ResourceID?) throws -> ResourceID?? {
        if given != nil, let current, let policy = try find(QoSPolicy.self, current), try !policy.isVisible(in: self) {
            throw APIError.qosPolicyRemovalForbidden(current)
        }
        return try qosPolicy(given)
    }

    /// Nil when the project's networks have no policy by themselves.
    func defaultQoSPolicy(of projectID: String) throws -> ResourceID? {
        try transaction.rows("SELECT id FROM policies WHERE project_id = ? AND is_default = 1", [.text(projectID)]).first?.first?.id
    }

    /// The policies of those of the networks that have one.
    func qosPolicies(ofNetworks ids: Set<ResourceID>) throws -> [ResourceID: ResourceID] {
        var policies: [ResourceID: ResourceID] = [:]
        // What shows one port, or a network's ports, asks for one.
        if ids.count == 1, let id = ids.first {
            policies[id] = try transaction.rows("SELECT qos_policy_id FROM networks WHERE id = ?", [id.columnValue]).first?.first?.id
            return policies
        }
        let ids = ids.sorted()
        for start in stride(from: 0, to: ids.count, by: Self.maximumIDsPerStatement) {
            let some = ids[start...].prefix(Self.maximumIDsPerStatement)
            let places = repeatElement("?", count: some.count).joined(separator: ", ")
            let rows = try transaction.rows(
                "SELECT id, qos_policy_id FROM networks WHERE qos_policy_id IS NOT NULL AND id IN (\(places))", some.map(\.columnValue))
            for row in rows { if let id = row[0].id { policies[id] = row[1].id } }
        }
        return policies
    }

    // MARK: What hosts cannot enforce

    /// - Parameter network: the policy of the port's network, which a port without one of its own has.
    func refuseUnsupportedRules(of port: Port, network: ResourceID?) throws {
        guard port.vnicType != Self.enforcedVNICType, let id = port.qosPolicyID ?? network else { return }
        try refuseRules(of: try existing(QoSPolicy.self, id), on: port.id)
    }

    /// The policy is to be the network's, and so that of its ports without one of their own.
    func refuseUnsupportedRules(of policyID: ResourceID, onNetwork networkID: ResourceID) throws {
        try refuseUnsupportedRules(of: try existing(QoSPolicy.self, policyID), onNetwork: networkID)
    }

    /// - Parameter policy: with a rule, perhaps, that its row does not have yet.
    private func refuseUnsupportedRules(of policy: QoSPolicy, onNetwork networkID: ResourceID) throws {
        let port = try transaction.rows(
            "SELECT id FROM ports WHERE network_id = ? AND qos_policy_id IS NULL AND binding_vnic_type <> ? ORDER BY id LIMIT 1",
            [networkID.columnValue, .text(Self.enforcedVNICType)])
        if let id = port.first?.first?.id { try refuseRules(of: policy, on: id) }
    }

    /// The policy got a rule.
    func refuseUnsupportedRules(of policy: QoSPolicy) throws {
        let own = try transaction.rows(
            "SELECT id FROM ports WHERE qos_policy_id = ? AND binding_vnic_type <> ? ORDER BY id LIMIT 1",
            [policy.id.columnValue, .text(Self.enforcedVNICType)])
        if let id = own.first?.first?.id { try refuseRules(of: policy, on: id) }
        for row in try transaction.rows("SELECT id FROM networks WHERE qos_policy_id = ? ORDER BY id", [policy.id.columnValue]) {
            guard let network = row.first?.id else { continue }
            try refuseUnsupportedRules(of: policy, onNetwork: network)
        }
    }

    private func refuseRules(of policy: QoSPolicy, on portID: ResourceID) throws {
        guard let rule = policy.rules.first else { return }
        throw APIError.qosRuleNotSupported(rule.typeName, port: try isSeen(Port.self, portID) ? portID : nil)
    }

    // MARK: Deletion

    /// What has a policy, in the order in which Neutron asks: the word of its error text, table and condition.
    private static let users = [
        ("port", "ports", "qos_policy_id = ?"), ("network", "networks", "qos_policy_id = ?"), ("fip", "floatingips", "qos_policy_id = ?"),
        ("router", "routers", "gateway_qos_policy_id = ?"),
        // A policy's id is nothing else's.
        ("router", "routers", "further_gateways LIKE '%' || ? || '%'"),
    ]

    func refuseUsed(_ policy: QoSPolicy) throws {
        for (word, table, condition) in Self.users {
            let user = try transaction.rows(
                "SELECT id FROM \(table) WHERE \(condition) ORDER BY id LIMIT 1", [policy.id.columnValue])
            guard let id = user.first?.first?.id else { continue }
            throw APIError.qosPolicyInUse(policy.id, by: word, try isSeen(inTable: table, id) ? id : nil)
        }
    }

    /// Whether the caller sees what has a policy. Who owns a policy that others use is not told by which of their things.
    private func isSeen(inTable table: String, _ id: ResourceID) throws -> Bool {
        switch table {
        case Port.table.plural: try isSeen(Port.self, id)
        case Network.table.plural: try isSeen(Network.self, id)
        case FloatingIP.table.plural: try isSeen(FloatingIP.self, id)
        case Router.table.plural: try isSeen(Router.self, id)
        default: false
        }
    }

    private func isSeen<R: ManagedResource>(_ type: R.Type, _ id: ResourceID) throws -> Bool {
        try find(R.self, id)?.isVisible(in: self) == true
    }

    /// Statements that find the projects of what has a policy, each with the policy's id as its argument.
    static let qosPolicyUsers = users.map { "SELECT DISTINCT project_id FROM \($0.1) WHERE \($0.2)" }
}

extension APIError {
    static func qosPolicyRemovalForbidden(_ id: ResourceID) -> APIError {
        APIError(
            status: 403, type: "PolicyRemoveAuthorizationError",
            message: "Failed to remove provided policy \(id) because you are not authorized.")
    }

    /// - Parameter port: nil: it is of another project.
    static func qosRuleNotSupported(_ type: String, port: ResourceID?) -> APIError {
        conflict("QosRuleNotSupported", "Rule \(type) is not supported by \(port.map { "port \($0)" } ?? "a port of another project")")
    }
}
