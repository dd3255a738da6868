import NetworkModel

/// A resource that belongs to a project and carries the standard attributes.
public protocol ProjectResource: APIResource {
    var projectID: String { get set }
    var standard: StandardAttributes { get set }
}

extension ProjectResource {
    /// `id`, `project_id` and its older twin `tenant_id`: they open every table.
    static var identityAttributes: [Attribute<Self>] {
        let project = Property<Self, String>(get: { $0.projectID }, set: { $0.projectID = $1 })
        return [
            .keptRequest("id", Property(get: { $0.id }, set: { $0.id = $1 }), .uuid, [.filter, .sort]),
            .stored("project_id", project, .string(maximum: 255), [.create, .filter, .sort], from: "project-id"),
            .alias("tenant_id", project, .string(maximum: 255), [.filter, .sort]),
        ]
    }

    /// The standard attributes of what has no tags of its own: Neutron's rules of security groups. The list that is shown is empty.
    static var untaggedAttributes: [Attribute<Self>] {
        standardAttributes.map { attribute in
            guard attribute.name == "tags" else { return attribute }
            return .keptRequest("tags", \.standard.tags, .list(of: .string(maximum: 255)), [])
        }
    }

    /// What closes every table: description, tags, revision and timestamps.
    static var standardAttributes: [Attribute<Self>] {
        [
            .stored(
                "description", Property(get: { $0.standard.description }, set: { $0.standard.description = $1 }), .string(maximum: 255),
                [.create, .update, .filter, .sort], default: "",
                from: "standard-attr-description"),
            .stored(
                "tags", Property(get: { $0.standard.tags }, set: { $0.standard.tags = $1 }), .list(of: .string(maximum: 255)),
                [.create, .filter],
                from: "standard-attr-tag"),
            .keptRequest(
                "revision_number", Property(get: { $0.standard.revisionNumber }, set: { $0.standard.revisionNumber = $1 }),
                .integer(0...Int.max), [.filter, .sort], from: "standard-attr-revisions"),
            .keptRequest(
                "created_at", Property(get: { $0.standard.createdAt }, set: { $0.standard.createdAt = $1 }), .any, [.filter, .sort],
                from: "standard-attr-timestamp"),
            .keptRequest(
                "updated_at", Property(get: { $0.standard.updatedAt }, set: { $0.standard.updatedAt = $1 }), .any, [.filter, .sort],
                from: "standard-attr-timestamp"),
        ]
    }
}

extension ResourceID {
    /// The identity of a resource that is still being made up.
    static let placeholder = ResourceID(rawValue: 0)
}
