import APISchema
import AccessPolicy
import NetworkModel
import Store

// Tags: words that clients hang on resources and filter lists by (`standard-attr-tag`). The resource's row has them for showing, the table
// `tags` for searching.

extension Operations {
    /// `GET /{collection}/{id}/tags`.
    public func tags<R: ManagedResource & ProjectResource>(_ type: R.Type, _ id: String, caller: Caller) async throws -> [String] {
        try await read(caller) { verb in
            let resource = try verb.visible(R.self, id)
            let rule = R.tagRule("get")
            if verb.policy.existing(rule) != nil { try verb.authorize(PolicyAction(rule), of: resource) }
            return resource.standard.tags
        }
    }

    /// Gives the resource these tags and no others, and returns them (`PUT /{collection}/{id}/tags`).
    ///
    /// - Parameter tags: what the client wrote as the member `tags`.
    @discardableResult
    public func setTags<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, _ tags: JSONValue, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [String] {
        let wanted = try Self.checkedTags(tags)
        return try await changeTags(type, id, "update", ifMatch, caller) { _ in wanted }
    }

    /// Adds tags to those that are there, and returns what was given (`POST /{collection}/{id}/tags`, `tag-creation`).
    ///
    /// - Parameter tags: what the client wrote as the member `tags`.
    @discardableResult
    public func addTags<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, _ tags: JSONValue, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [String] {
        let added = try Self.checkedTags(tags)
        try await changeTags(type, id, "create", ifMatch, caller) { tags in tags + added.filter { !tags.contains($0) } }
        return added
    }

    /// `DELETE /{collection}/{id}/tags`.
    public func removeTags<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        try await changeTags(type, id, "delete", ifMatch, caller) { _ in [] }
    }

    /// `PUT /{collection}/{id}/tags/{tag}`. A tag that is there already stays.
    public func addTag<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, _ tag: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        let added = try Self.checkedTags([.string(tag)])
        try await changeTags(type, id, "update", ifMatch, caller) { tags in tags.contains(tag) ? tags : tags + added }
    }

    /// `DELETE /{collection}/{id}/tags/{tag}`.
    public func removeTag<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, _ tag: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        try await changeTags(type, id, "delete", ifMatch, caller) { tags in
            guard tags.contains(tag) else { throw APIError.tagNotFound(tag) }
            return tags.filter { $0 != tag }
        }
    }

    @discardableResult
    private func changeTags<R: ManagedResource & ProjectResource>(
        _ type: R.Type, _ id: String, _ verbName: String, _ ifMatch: RevisionConstraint?, _ caller: Caller,
        _ change: @escaping @Sendable ([String]) throws -> [String]
    ) async throws -> [String] {
        try await write(caller) { verb in
            let rule = R.tagRule(verbName)
            // Resources without rules of their own for tags: who may change the resource.
            var resource = try verb.authorized(
                R.self, id, to: verb.policy.existing(rule) != nil ? rule : "update_\(R.policyName)", ifMatch: ifMatch)
            let tags = try change(resource.standard.tags).sorted()
            guard tags != resource.standard.tags else { return tags }
            resource.standard.tags = tags
            try verb.writeTags(tags, of: R.self, resource.id)
            try verb.save(&resource)
            return tags
        }
    }

    private static func checkedTags(_ json: JSONValue) throws(APIError) -> [String] {
        do throws(InvalidValue) {
            return try [String](json: AttributeType.list(of: .string(maximum: Verb.maximumTagLength)).validate(json))
        } catch {
            throw .invalidInput(error.reason)
        }
    }
}

extension ManagedResource {
    /// The rule for the tags of the resource: `update_network:tags`, and in the case of segments `update_segments_tags`.
    fileprivate static func tagRule(_ verbName: String) -> String {
        Self.self is Segment.Type ? "\(verbName)_segments_tags" : "\(verbName)_\(policyName):tags"
    }
}

extension Verb {
    /// Characters of one tag.
    static let maximumTagLength = 255
    /// Tags of one resource.
    static let maximumTags = 50

    /// Makes the tags of a resource known to filters of lists.
    func writeTags<R: APIResource>(_ tags: [String], of type: R.Type, _ id: ResourceID) throws {
        guard tags.count <= Self.maximumTags else { throw APIError.tagsExhausted(R.table.singular) }
        try transaction.execute("DELETE FROM tags WHERE resource_id = ?", [id.columnValue])
        for tag in tags {
            try transaction.execute(
                "INSERT INTO tags (resource_id, kind, tag) VALUES (?, ?, ?)", [id.columnValue, .text(R.table.plural), .text(tag)])
        }
    }
}

extension APIError {
    public static func tagNotFound(_ tag: String) -> APIError { .notFound("TagNotFound", "Tag \(tag) could not be found.") }

    static func tagsExhausted(_ resource: String) -> APIError {
        .badRequest(resource, "The number of tags exceed the per-resource limit of \(Verb.maximumTags)")
    }
}
