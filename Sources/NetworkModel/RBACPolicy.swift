/// What can be shared with single projects.
public enum RBACObjectType: String, Sendable, Hashable, CaseIterable {
    case network
    case qosPolicy = "qos_policy"
    case securityGroup = "security_group"
    case addressScope = "address_scope"
    case subnetPool = "subnetpool"
    case addressGroup = "address_group"
}

/// What a project may do with an object that another project shares with it.
public enum RBACAction: String, Sendable, Hashable {
    /// See and use it.
    case shared = "access_as_shared"
    /// Have gateways and floating IPs on it: networks only.
    case external = "access_as_external"
}

/// A grant of an object to a project, or to all.
///
/// A grant of `access_as_shared` to all is what the object shows as `shared`, and a network with a grant of `access_as_external` is external: the
/// object's row follows the grants and the grants follow the object's attributes.
public struct RBACPolicy: Sendable, Hashable {
    /// The target that means every project.
    public static let everyProject = "*"

    public var id: ResourceID
    /// Who made the grant.
    public var projectID: String
    public var objectType: RBACObjectType
    public var objectID: ResourceID
    public var action: RBACAction
    /// A project, or ``everyProject``.
    public var target: String
    /// Not shown and not kept: grants have neither revision nor timestamps.
    public var standard = StandardAttributes()

    public init(
        id: ResourceID, projectID: String, objectType: RBACObjectType, objectID: ResourceID, action: RBACAction, target: String
    ) {
        self.id = id
        self.projectID = projectID
        self.objectType = objectType
        self.objectID = objectID
        self.action = action
        self.target = target
    }
}
