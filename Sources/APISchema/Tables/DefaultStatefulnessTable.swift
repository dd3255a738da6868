import NetworkModel

extension DefaultStatefulness: APIResource {
    public static var blank: DefaultStatefulness { DefaultStatefulness(id: .placeholder, projectID: nil) }

    /// In Neutron, one is called as many are.
    public static let table = ResourceTable<DefaultStatefulness>(
        singular: "security_groups_default_statefulness", plural: "security_groups_default_statefulness", collection: alias,
        notFoundName: "SecurityGroupDefaultStatefulness",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: alias),
            // Absent it is the caller's project, and null is every project.
            .keptRequest("project_id", \.projectID, .nullable(.string(maximum: 255)), [.create, .filter, .sort], from: alias),
            .stored("stateful", \.isStateful, .boolean, [.create, .update, .filter, .sort], default: true, from: alias),
        ])

    private static let alias = "security-groups-default-statefulness"
}
