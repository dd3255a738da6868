import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Store

extension AddressScope: ManagedResource {
    public static func create(_ request: ResourceRequest<AddressScope>, in verb: Verb) throws -> AddressScope {
        var scope = AddressScope.blank
        try request.assign(to: &scope)
        scope.id = verb.newID()
        scope.projectID = try verb.project(of: request)
        try verb.transaction.insert(scope)
        try verb.mirror(scope.isShared, .shared, .addressScope, scope)
        return scope
    }

    public static func update(
        _ current: AddressScope, _ request: ResourceRequest<AddressScope>, in verb: Verb
    ) throws -> AddressScope {
        var scope = current
        try request.assign(to: &scope)
        guard scope.isShared || !current.isShared else {
            throw APIError.addressScopeUpdate(scope.id, "Shared address scope can't be unshared")
        }
        try verb.transaction.update(scope)
        try verb.mirror(scope.isShared, was: current.isShared, .shared, .addressScope, scope)
        return scope
    }

    public static func delete(_ scope: AddressScope, in verb: Verb) throws {
        let pools = try verb.transaction.rows(
            "SELECT 1 FROM subnetpools WHERE address_scope_id = ? LIMIT 1", [scope.id.columnValue])
        guard pools.isEmpty else { throw APIError.addressScopeInUse(scope.id) }
        try verb.dropGrants(of: scope.id)
        try verb.transaction.delete(AddressScope.self, scope.id)
    }

    public static func shown(_ scope: AddressScope, in verb: Verb) throws -> AddressScope {
        var shown = scope
        shown.isShared = try scope.isShared || verb.isShared(scope.id)
        return shown
    }

    /// Address scopes have none, so no condition on it can fail.
    public var revisionNumber: Int? { nil }
}

extension Network {
    /// The scope of its subnets of a family.
    subscript(addressScope version: IPVersion) -> ResourceID? {
        get { version == .v4 ? ipv4AddressScopeID : ipv6AddressScopeID }
        set {
            switch version {
            case .v4: ipv4AddressScopeID = newValue
            case .v6: ipv6AddressScopeID = newValue
            }
        }
    }
}
