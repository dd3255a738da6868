import NetworkModel

/// A resource that belongs to a project and carries the standard attributes.
public protocol ProjectResource: APIResource {
    var projectID: String { get set }
    var standard: StandardAttributes { get set }
}

extension ProjectResource {
    /// `id`, `project_id` and its older twin `tenant_id`: they open every table.
    static var identityAttributes: [Attribute<Self>] {
        [
            .keptRequest("id", \.id, .uuid, [.filter, .sort]),
            .stored("project_id", \.projectID, .string(maximum: 255), [.create, .filter, .sort], from: "project-id"),
            .alias("tenant_id", \.projectID, .string(maximum: 255), [.filter, .sort]),
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
                "description", \.standard.description, .string(maximum: 255), [.create, .update, .filter, .sort], default: "",
                from: "standard-attr-description"),
            .stored("tags", \.standard.tags, .list(of: .string(maximum: 255)), [.create, .filter], from: "standard-attr-tag"),
            .keptRequest(
                "revision_number", \.standard.revisionNumber, .integer(0...Int.max), [.filter, .sort], from: "standard-attr-revisions"),
            .keptRequest("created_at", \.standard.createdAt, .any, [.filter, .sort], from: "standard-attr-timestamp"),
            .keptRequest("updated_at", \.standard.updatedAt, .any, [.filter, .sort], from: "standard-attr-timestamp"),
        ]
    }
}

extension ResourceID {
    /// The identity of a resource that is still being made up.
    static let placeholder = ResourceID(rawValue: 0)
}
