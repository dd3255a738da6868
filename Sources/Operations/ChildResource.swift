import APISchema
import AccessPolicy
import NetworkModel
import Store

/// A resource that is a part of another and is reached through it, such as `/floatingips/{id}/port_forwardings`. Who may see and change the
/// whole may see and change its parts; a part of another whole is not found.
public protocol ChildResource: ManagedResource {
    associatedtype Parent: ManagedResource & ProjectResource

    /// The column that names the whole.
    static var parentColumn: String { get }
    var parentID: ResourceID { get }

    static func create(_ request: ResourceRequest<Self>, under parent: Parent, in verb: Verb) throws -> Self
}

extension ChildResource {
    /// A part is created under its whole only.
    public static func create(_ request: ResourceRequest<Self>, in verb: Verb) throws -> Self {
        throw APIError(status: 405, type: "HTTPMethodNotAllowed", message: "The method POST is not allowed for this resource.")
    }
    public func isVisible(in verb: Verb) throws -> Bool { try verb.find(Parent.self, parentID)?.isVisible(in: verb) ?? false }
    /// Its whole is looked at instead.
    public var owner: String? { nil }
    public var revisionNumber: Int? { nil }
}

extension Operations {
    /// Creates parts of one whole, all or none.
    public func create<R: ChildResource>(_ requests: [ResourceRequest<R>], under parentID: String, caller: Caller) async throws -> [R] {
        try await write(caller) { verb in
            // The whole changes with each part.
            try requests.map { try R.create($0, under: verb.owned(R.Parent.self, parentID, "create"), in: verb) }
        }
    }

    /// Changes a part.
    public func update<R: ChildResource>(
        _ id: String, _ request: ResourceRequest<R>, under parentID: String, caller: Caller
    ) async throws -> R {
        try await write(caller) { verb in
            let parent = try verb.owned(R.Parent.self, parentID, "update")
            return try R.update(verb.part(R.self, id, of: parent.id), request, in: verb)
        }
    }

    /// Deletes a part.
    public func delete<R: ChildResource>(_ type: R.Type, _ id: String, under parentID: String, caller: Caller) async throws {
        try await write(caller) { verb in
            let parent = try verb.owned(R.Parent.self, parentID, "delete")
            try R.delete(verb.part(R.self, id, of: parent.id), in: verb)
        }
    }

    /// One part.
    public func show<R: ChildResource>(_ type: R.Type, _ id: String, under parentID: String, caller: Caller) async throws -> R {
        try await read(caller) { verb in try verb.part(R.self, id, of: verb.visible(R.Parent.self, parentID).id) }
    }

    /// The parts of one whole, one page at most.
    public func list<R: ChildResource>(
        _ type: R.Type, _ query: ListQuery, under parentID: String, caller: Caller
    ) async throws -> [R] {
        try await read(caller) { verb in
            var query = query
            query.filters.append(.column(R.parentColumn, [try verb.visible(R.Parent.self, parentID).id.columnValue]))
            return try verb.transaction.list(R.self, query)
        }
    }
}

extension Verb {
    /// A whole that the caller may change parts of.
    fileprivate func owned<R: ManagedResource>(_ type: R.Type, _ id: String, _ verbName: String) throws -> R {
        let resource = try visible(R.self, id)
        try checkOwner(verbName, resource)
        return resource
    }

    fileprivate func part<R: ChildResource>(_ type: R.Type, _ id: String, of parentID: ResourceID) throws -> R {
        guard let identity = ResourceID(id), let part = try find(R.self, identity), part.parentID == parentID else { throw R.notFound(id) }
        return part
    }
}
