import APISchema
import NetworkModel
import Store

/// What other projects grant to the caller, read once in a transaction that asks for it.
final class GrantCache {
    fileprivate struct Grants {
        var shared: Set<ResourceID> = []
        var external: Set<ResourceID> = []
    }

    fileprivate var grants: Grants?
}

extension Verb {
    /// Whether the object is granted to the caller's project, or to every project.
    func isGranted(_ id: ResourceID, _ action: RBACAction) throws -> Bool {
        switch action {
        case .shared: try grants().shared.contains(id)
        case .external: try grants().external.contains(id)
        }
    }

    /// Whether the object is shared with the caller's project: that is what it shows as `shared`.
    func isShared(_ id: ResourceID) throws -> Bool { try isGranted(id, .shared) }

    /// Whether a project other than the caller's may use the object.
    func isShared(_ id: ResourceID, with projectID: String) throws -> Bool {
        try !transaction.rows(
            "SELECT 1 FROM rbac_policies WHERE object_id = ? AND action = ? AND (target_tenant = ? OR target_tenant = ?) LIMIT 1",
            [id.columnValue, RBACAction.shared.columnValue, .text(projectID), .text(RBACPolicy.everyProject)]
        ).isEmpty
    }

    private func grants() throws -> GrantCache.Grants {
        if let known = grantCache.grants { return known }
        var grants = GrantCache.Grants()
        let rows = try transaction.rows(
            "SELECT object_id, action FROM rbac_policies WHERE target_tenant = ? OR target_tenant = ?",
            [.text(caller.projectID), .text(RBACPolicy.everyProject)])
        for row in rows {
            guard let id = row[0].id else { continue }
            if row[1] == RBACAction.external.columnValue { grants.external.insert(id) } else { grants.shared.insert(id) }
        }
        grantCache.grants = grants
        return grants
    }

    // MARK: Attributes and grants

    /// Makes the grant to all projects follow an attribute of the object (`shared`, `router:external`).
    func mirror(_ isOn: Bool, was: Bool = false, _ action: RBACAction = .shared, _ type: RBACObjectType, _ object: some ProjectResource)
        throws
    {
        guard isOn != was else { return }
        guard isOn else {
            // A network that is no longer external is so for nobody; one that is no longer shared may still be for single projects.
            for grant in try grants(of: object.id) where grant.action == action {
                guard action == .external || grant.target == RBACPolicy.everyProject else { continue }
                // Networks have refusals of their own (`InvalidSharedSetting`); scopes and pools are never unshared.
                if type == .qosPolicy { try refuseUsed(grant, replacedBy: nil) }
                try transaction.delete(RBACPolicy.self, grant.id)
            }
            return
        }
        try transaction.insert(
            RBACPolicy(
                id: newID(), projectID: object.projectID, objectType: type, objectID: object.id, action: action,
                target: RBACPolicy.everyProject))
    }

    /// The object goes, and its grants with it.
    func dropGrants(of id: ResourceID) throws {
        for grant in try grants(of: id) { try transaction.delete(RBACPolicy.self, grant.id) }
    }

    func grants(of id: ResourceID) throws -> [RBACPolicy] { try list(RBACPolicy.self, where: "object_id", id) }
}
