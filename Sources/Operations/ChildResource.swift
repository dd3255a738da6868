import APISchema
import AccessPolicy
import NetworkModel
import Store

/// A resource that is a part of another and is reached through it, such as `/floatingips/{id}/port_forwardings`. Rules ask for its whole as
/// `ext_parent`; a part of another whole is not found.
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
    public static var policyName: String { "\(Parent.policyName)_\(table.singular)" }
    public static var policyParents: [PolicyParent] { [PolicyParent(parentName, column: parentColumn, Parent.self)] }
    public var revisionNumber: Int? { nil }
}

extension Operations {
    /// Creates parts of one whole, all or none.
    ///
    /// - Parameter ifMatch: of the whole, here and below: parts have no revision of their own.
    public func create<R: ChildResource>(
        _ requests: [ResourceRequest<R>], under parentID: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> [R] {
        try await write(caller) { verb in
            if let ifMatch { try ifMatch.check(try verb.visible(R.Parent.self, parentID)) }
            return try requests.map { request in
                // The whole changes with each part.
                let parent = try verb.visible(R.Parent.self, parentID)
                try verb.authorizeCreation(request, under: parent.id)
                return try R.create(request, under: parent, in: verb)
            }
        }
    }

    /// Changes a part.
    public func update<R: ChildResource>(
        _ id: String, _ request: ResourceRequest<R>, under parentID: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> R {
        try await write(caller) { verb in
            let parent = try verb.visible(R.Parent.self, parentID)
            let part = try verb.part(R.self, id, of: parent.id)
            try verb.authorizeUpdate(part, request)
            try ifMatch?.check(parent)
            return try R.update(part, request, in: verb)
        }
    }

    /// Deletes a part.
    public func delete<R: ChildResource>(
        _ type: R.Type, _ id: String, under parentID: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        try await write(caller) { verb in
            let parent = try verb.visible(R.Parent.self, parentID)
            let part = try verb.part(R.self, id, of: parent.id)
            try verb.authorize(PolicyAction("delete_\(R.policyName)"), of: part)
            try ifMatch?.check(parent)
            try R.delete(part, in: verb)
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
            return try verb.list(R.self, query)
        }
    }
}

extension Verb {
    fileprivate func part<R: ChildResource>(_ type: R.Type, _ id: String, of parentID: ResourceID) throws -> R {
        let part = try visible(R.self, id)
        guard part.parentID == parentID else { throw R.notFound(id) }
        return part
    }
}
