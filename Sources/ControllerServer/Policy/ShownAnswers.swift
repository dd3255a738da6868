import APISchema
import AccessPolicy
import HTTPTypes
import Hummingbird
import NetworkModel
import Operations

// Answers with resources as the caller may see them: attributes that the rules keep from the caller are left out.

extension Operations {
    /// One resource under its singular name.
    func answer<Resource: ManagedResource>(
        _ resource: Resource, fields: Set<String> = [], status: HTTPResponse.Status = .ok, to caller: Caller
    ) async throws -> Response {
        let shown = try await shownAttributes(of: [resource], fields: fields, areNew: status == .created, caller: caller)
        var writer = JSONWriter(reservingCapacity: 2048)
        writer.object { writer in
            writer.key(Resource.table.singular)
            Resource.table.write(resource, shown[resource.id], to: &writer)
        }
        return .json(writer, status: status)
    }

    /// Several resources under their plural name, without paging.
    func answer<Resource: ManagedResource>(
        _ resources: [Resource], fields: Set<String> = [], status: HTTPResponse.Status = .ok, to caller: Caller
    ) async throws -> Response {
        let shown = try await shownAttributes(of: resources, fields: fields, areNew: status == .created, caller: caller)
        var writer = JSONWriter(reservingCapacity: 256 + resources.count * 1024)
        writer.object { writer in Self.write(resources, shown, to: &writer) }
        return .json(writer, status: status)
    }

    /// A page of a list, with the links to the next and the previous one.
    func answer<Resource: ManagedResource>(
        _ resources: [Resource], _ query: ListQuery, of request: Request, to caller: Caller
    ) async throws -> Response {
        let shown = try await shownAttributes(of: resources, fields: query.fields, caller: caller)
        // 1 KiB is about what a port takes: few reallocations for long lists.
        var writer = JSONWriter(reservingCapacity: 256 + resources.count * 1024)
        writer.object { writer in
            Self.write(resources, shown, to: &writer)
            PageLinks(request: request, base: base(of: request), query: query, ids: resources.map(\.id))
                .write(to: &writer, name: Resource.table.plural + "_links")
        }
        return .json(writer)
    }

    private static func write<Resource: ManagedResource>(
        _ resources: [Resource], _ shown: ShownAttributes, to writer: inout JSONWriter
    ) {
        writer.key(Resource.table.plural)
        writer.array { writer in
            for resource in resources { Resource.table.write(resource, shown[resource.id], to: &writer) }
        }
    }
}
