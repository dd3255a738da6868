import APISchema
import AccessPolicy
import NetworkModel
import Store

extension RBACPolicy: ManagedResource {
    public static func create(_ request: ResourceRequest<RBACPolicy>, in verb: Verb) throws -> RBACPolicy {
        try verb.createGrant(request)
    }
    public static func update(_ grant: RBACPolicy, _ request: ResourceRequest<RBACPolicy>, in verb: Verb) throws -> RBACPolicy {
        try verb.updateGrant(grant, request)
    }
    public static func delete(_ grant: RBACPolicy, in verb: Verb) throws { try verb.deleteGrant(grant) }

    /// Neutron looks the type up by the id, so that it has none to name.
    public static func notFound(_ id: String) -> APIError {
        .notFound("RbacPolicyNotFound", "RBAC policy of type None with ID \(id) not found")
    }

    /// Grants have none, so no condition on it can fail.
    public var revisionNumber: Int? { nil }

    fileprivate var isForAll: Bool { target == Self.everyProject }
}

extension Verb {
    fileprivate func createGrant(_ request: ResourceRequest<RBACPolicy>) throws -> RBACPolicy {
        let typeText = request["object_type"]?.pythonText ?? "None"
        let words = typeText.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard let type = RBACObjectType(rawValue: words) else {
            throw APIError.invalidInput("'\(typeText)' is not a valid RBAC object type")
        }
        guard let objectID = try request.value("object_id", as: ResourceID.self) else {
            throw APIError.invalidInput("object_id is missing")
        }
        let actionText = request["action"]?.pythonText ?? "None"
        guard let action = RBACAction(rawValue: actionText), action == .shared || type == .network else {
            throw APIError.invalidInput("Invalid action '\(actionText)' for object type '\(type.rawValue)'")
        }
        let target = try request.value("target_tenant", as: String.self) ?? ""
        try checkTarget(target)
        let grant = RBACPolicy(
            id: newID(), projectID: try project(of: request), objectType: type, objectID: objectID, action: action, target: target)
        // Administrators own nothing in particular, but what they grant must be there.
        let owner = try owner(of: grant)
        guard caller.isAdmin || owner == caller.projectID else {
            throw APIError.invalidInput("Only admins can manipulate policies on objects they do not own")
        }
        try checkScope(of: grant)
        try checkQuota("rbac_policy", grant.projectID)
        try refuseDuplicate(of: grant)
        try transaction.insert(grant)
        try setFlag(of: grant, isOn: true)
        return grant
    }

    fileprivate func updateGrant(_ current: RBACPolicy, _ request: ResourceRequest<RBACPolicy>) throws -> RBACPolicy {
        var grant = current
        try request.assign(to: &grant)
        guard grant.target != current.target else { return current }
        try checkTarget(grant.target)
        // Whether the target was given the address scope of a pool is asked at creation alone, as in Neutron.
        try refuseDuplicate(of: grant)
        try refuseUsed(current, replacedBy: grant)
        try transaction.update(grant)
        try setFlag(of: current, isOn: false)
        try setFlag(of: grant, isOn: true)
        return grant
    }

    fileprivate func deleteGrant(_ grant: RBACPolicy) throws {
        try refuseUsed(grant, replacedBy: nil)
        try transaction.delete(RBACPolicy.self, grant.id)
        try setFlag(of: grant, isOn: false)
    }

    private func checkTarget(_ target: String) throws {
        guard !target.isEmpty else { throw APIError.invalidAttribute("target_tenant", "'' Blank strings are not permitted") }
    }

    /// Who is given a pool of an address scope must have been given the scope.
    private func checkScope(of grant: RBACPolicy) throws {
        guard grant.objectType == .subnetPool, let scopeID = try find(SubnetPool.self, grant.objectID)?.addressScopeID else { return }
        let hasScope = try grants(of: scopeID).contains { $0.target == grant.target || $0.isForAll }
        guard !hasScope else { return }
        throw APIError.invalid(
            "RbacPolicyInitError",
            "Failed to create RBAC policy on object \(grant.objectID) because target project doesn't have access to associated address scope.."
        )
    }

    private func refuseDuplicate(of grant: RBACPolicy) throws {
        let others = try grants(of: grant.objectID).filter { $0.id != grant.id && $0.action == grant.action }
        guard !others.contains(where: { $0.target == grant.target }) else {
            throw APIError.conflict("DuplicateRbacPolicy", "An RBAC policy already exists with those values.")
        }
    }

    // MARK: The object

    private func owner(of grant: RBACPolicy) throws -> String {
        switch grant.objectType {
        case .network: try visible(Network.self, grant.objectID).projectID
        case .qosPolicy: try visible(QoSPolicy.self, grant.objectID).projectID
        case .securityGroup: try visible(SecurityGroup.self, grant.objectID).projectID
        case .addressScope: try visible(AddressScope.self, grant.objectID).projectID
        case .subnetPool: try visible(SubnetPool.self, grant.objectID).projectID
        case .addressGroup: try visible(AddressGroup.self, grant.objectID).projectID
        }
    }

    /// The object's row shows the grants to all, and whether a network is external for anybody.
    private func setFlag(of grant: RBACPolicy, isOn: Bool) throws {
        if grant.action == .external {
            let others = try grants(of: grant.objectID).contains { $0.action == .external }
            return try set(Network.self, grant.objectID, \.isExternal, others)
        }
        guard grant.isForAll else {
            if grant.objectType == .network { try touch(Network.self, grant.objectID) }
            return
        }
        switch grant.objectType {
        case .network: try set(Network.self, grant.objectID, \.isShared, isOn)
        case .qosPolicy: try set(QoSPolicy.self, grant.objectID, \.isShared, isOn)
        case .securityGroup: try set(SecurityGroup.self, grant.objectID, \.isShared, isOn)
        case .addressScope: try set(AddressScope.self, grant.objectID, \.isShared, isOn)
        case .subnetPool: try set(SubnetPool.self, grant.objectID, \.isShared, isOn)
        case .addressGroup: try set(AddressGroup.self, grant.objectID, \.isShared, isOn)
        }
    }

    /// A network's grants are changes of the network, whether or not they change its flags: only its revision number follows them in Neutron.
    private func set<R: ProjectResource>(_ type: R.Type, _ id: ResourceID, _ path: WritableKeyPath<R, Bool>, _ isOn: Bool) throws {
        guard var object = try find(R.self, id), object[keyPath: path] != isOn || R.self is Network.Type else { return }
        object[keyPath: path] = isOn
        try save(&object)
    }

    // MARK: Use

    /// A project that uses the object keeps its access.
    func refuseUsed(_ grant: RBACPolicy, replacedBy next: RBACPolicy?) throws {
        var left = try grants(of: grant.objectID).filter { $0.action == grant.action && $0.id != grant.id }
        // Neutron asks whether another project may be given the use of a network; of anything else, only whether the one that has it needs it no more.
        if let next, next.isForAll || grant.objectType == .network { left.append(next) }
        guard !left.contains(where: \.isForAll) else { return }
        if grant.action == .external, grant.isForAll, try find(Network.self, grant.objectID)?.isDefault == true {
            throw Self.inUse(grant, "Default external networks must be shared to everyone.")
        }
        // A network without any such grant is external for nobody, its owner included.
        let isLast = grant.action == .external && left.isEmpty
        // Of what others than networks are granted to all, the owner's own use counts too, as in Neutron.
        let countsOwner = isLast || (grant.isForAll && grant.objectType != .network)
        let covered = try countsOwner ? Set(left.map(\.target)) : Set(left.map(\.target)).union([elevated.owner(of: grant)])
        let users = try users(of: grant).subtracting(covered.union([""]))
        guard grant.isForAll || isLast ? !users.isEmpty : users.contains(grant.target) else { return }
        throw Self.inUse(grant, Self.details(grant))
    }

    private static func inUse(_ grant: RBACPolicy, _ details: String) -> APIError {
        .conflict(
            "RbacPolicyInUse",
            "RBAC policy on object \(grant.objectID) cannot be removed because other objects depend on it.\nDetails: \(details)")
    }

    private static func details(_ grant: RBACPolicy) -> String {
        grant.action == .external
            ? "There are routers attached to this network that depend on this policy for access."
            : "The \(grant.objectType.rawValue) is in use by projects that this policy gives access to."
    }

    /// The projects of what uses the object.
    private func users(of grant: RBACPolicy) throws -> Set<String> {
        let queries: [String]
        switch (grant.objectType, grant.action) {
        case (.network, .external):
            queries = [
                "SELECT r.project_id FROM ports p JOIN routers r ON r.id = p.device_id WHERE p.network_id = ? AND p.device_owner = "
                    + "'\(DeviceOwner.routerGateway)'",
                "SELECT project_id FROM floatingips WHERE floating_network_id = ?",
            ]
        case (.network, .shared): queries = ["SELECT DISTINCT project_id FROM ports WHERE network_id = ?"]
        case (.qosPolicy, _): queries = Self.qosPolicyUsers
        case (.securityGroup, _):
            queries = [
                "SELECT DISTINCT p.project_id FROM port_security_groups g JOIN ports p ON p.id = g.port_id WHERE g.security_group_id = ?"
            ]
        case (.addressScope, _): queries = ["SELECT project_id FROM subnetpools WHERE address_scope_id = ?"]
        case (.addressGroup, _): queries = ["SELECT DISTINCT project_id FROM security_group_rules WHERE remote_address_group_id = ?"]
        case (.subnetPool, _): queries = ["SELECT DISTINCT project_id FROM subnets WHERE subnetpool_id = ?"]
        }
        return try queries.reduce(into: []) { users, query in
            users.formUnion(try transaction.rows(query, [grant.objectID.columnValue]).compactMap { $0.first?.text })
        }
    }
}
