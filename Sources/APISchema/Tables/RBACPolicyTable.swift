import NetworkModel

extension RBACObjectType: WordAttributeValue {}
extension RBACAction: WordAttributeValue {}

extension RBACPolicy: ProjectResource {
    public static var blank: RBACPolicy {
        RBACPolicy(id: .placeholder, projectID: "", objectType: .network, objectID: .placeholder, action: .shared, target: "")
    }

    /// Without the standard attributes: Neutron's grants have none.
    public static let table = ResourceTable<RBACPolicy>(
        singular: "rbac_policy", plural: "rbac_policies", collection: "rbac-policies", notFoundName: "RbacPolicy",
        attributes: identityAttributes + [
            // Any: the operation refuses an unknown word with Neutron's own text.
            .keptRequest("object_type", \.objectType, .any, [.create, .required, .filter, .guarded], from: "rbac-policies"),
            .keptRequest("object_id", \.objectID, .uuid, [.create, .required, .filter, .guarded], from: "rbac-policies"),
            .keptRequest("action", \.action, .string(maximum: 255), [.create, .required, .filter, .guarded], from: "rbac-policies"),
            .stored(
                "target_tenant", \.target, .string(maximum: 255), [.create, .update, .required, .filter, .guarded], from: "rbac-policies"),
        ])
}
