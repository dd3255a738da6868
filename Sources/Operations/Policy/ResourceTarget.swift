import APISchema
import AccessPolicy
import NetworkModel
import Store

/// What rules are asked about in a verb: a resource as it is, as a request would change it, or as a request would make it.
struct ResourceTarget<R: ManagedResource>: PolicyTarget {
    let verb: Verb
    /// Nil when it is to be made.
    var resource: R?
    /// What the request gives; the rest is as the resource has it.
    var given: [String: JSONValue] = [:]

    func value(of field: String, in owner: String?) throws -> JSONValue? {
        if let value = given[field] { return value }
        switch field {
        case "shared": if let value = try granted(.shared, "networks") { return value }
        case "router:external": if let value = try granted(.external, "networks") { return value }
        default: break
        }
        if let (parent, name) = R.policyParent(of: field) {
            guard let id = try parentID(parent) else { return nil }
            return try verb.value(of: name, ofParent: parent, id)
        }
        return try resource?.policyValue(of: field, in: verb)
    }

    /// Whether the resource, or the network that it is on, is granted to the caller: that is what it shows as `shared`, and what makes an external
    /// network one of the caller's.
    private func granted(_ action: RBACAction, _ table: String) throws -> JSONValue? {
        if R.isGranted(action) {
            guard let resource else { return nil }
            return .bool(try verb.isGranted(resource.id, action))
        }
        guard let parent = R.policyParents.first(where: { $0.table == table }), let id = try parentID(parent) else { return nil }
        return .bool(try verb.isGranted(id, action))
    }

    private func parentID(_ parent: PolicyParent) throws -> ResourceID? {
        if let text = given[parent.column]?.stringValue { return ResourceID(text) }
        guard let resource, let column = R.table.columns.first(where: { $0.name == parent.column }) else { return nil }
        return column.value(resource).id
    }
}

extension ManagedResource {
    /// Whether grants of that kind can be about the resource.
    static func isGranted(_ action: RBACAction) -> Bool {
        switch action {
        case .shared: table["shared"]?.column != nil && RBACObjectType.tables.contains(table.plural)
        case .external: table.plural == Network.table.plural
        }
    }
}

extension RBACObjectType {
    /// The SQL tables of what can be granted.
    static let tables: Set<String> = [
        Network.table.plural, QoSPolicy.table.plural, SecurityGroup.table.plural, AddressScope.table.plural, SubnetPool.table.plural,
        AddressGroup.table.plural,
    ]
}

/// A part that belongs to a whole and is known to rules by it: a rule of a QoS policy, as it is, or as a request would make or change it.
struct PartTarget<Whole: ManagedResource, Part: APIResource>: PolicyTarget {
    let whole: Whole
    /// Nil when it is to be made, or is none in particular.
    var part: Part?
    /// What the request gives.
    var given: [String: JSONValue] = [:]

    func value(of field: String, in resource: String?) -> JSONValue? {
        let prefix = "\(parentName):"
        if field.hasPrefix(prefix) { return whole.policyValue(of: String(field.dropFirst(prefix.count))) }
        return given[field] ?? part?.policyValue(of: field)
    }
}

/// How rules call what the path names before a part.
let parentName = "ext_parent"

/// Something that only a project is known of: its quota, its topology.
struct ProjectTarget: PolicyTarget {
    let projectID: String
    func value(of field: String, in resource: String?) -> JSONValue? { field == "project_id" ? .string(projectID) : nil }
}
