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
        let elements = await Self.elements(resources, shown)
        var writer = JSONWriter(reservingCapacity: Self.capacity(elements))
        writer.object { writer in Self.write(elements, of: Resource.self, to: &writer) }
        return .json(writer, status: status)
    }

    /// A page of a list, with the links to the next and the previous one.
    func answer<Resource: ManagedResource>(
        _ resources: [Resource], _ query: ListQuery, of request: Request, to caller: Caller
    ) async throws -> Response {
        let shown = try await shownAttributes(of: resources, fields: query.fields, caller: caller)
        let elements = await Self.elements(resources, shown)
        var writer = JSONWriter(reservingCapacity: Self.capacity(elements))
        writer.object { writer in
            Self.write(elements, of: Resource.self, to: &writer)
            PageLinks(request: request, base: base(of: request), query: query, ids: resources.map(\.id))
                .write(to: &writer, name: Resource.table.plural + "_links")
        }
        return .json(writer)
    }

    /// Resources that one task writes: a long list is written by several processors at once, a short one without the detour.
    private static var resourcesPerTask: Int { 500 }
    /// About what a port takes: few reallocations for long lists.
    private static var bytesPerResource: Int { 1280 }

    /// The resources as parts of an array's text, in their order.
    private static func elements<Resource: ManagedResource>(_ resources: [Resource], _ shown: ShownAttributes) async -> [JSONWriter] {
        guard resources.count > resourcesPerTask else { return [elements(resources[...], shown)] }
        return await withTaskGroup(of: (Int, JSONWriter).self) { group in
            for start in stride(from: 0, to: resources.count, by: resourcesPerTask) {
                group.addTask { (start, elements(resources[start...].prefix(resourcesPerTask), shown)) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private static func elements<Resource: ManagedResource>(_ resources: ArraySlice<Resource>, _ shown: ShownAttributes) -> JSONWriter {
        var writer = JSONWriter(reservingCapacity: resources.count * bytesPerResource)
        for resource in resources { Resource.table.write(resource, shown[resource.id], to: &writer) }
        return writer
    }

    /// Room for the elements and for what stands around them: names and the links of a page.
    private static func capacity(_ elements: [JSONWriter]) -> Int { elements.reduce(1024) { $0 + $1.bytes.count } }

    private static func write<Resource: ManagedResource>(
        _ elements: [JSONWriter], of type: Resource.Type, to writer: inout JSONWriter
    ) {
        writer.key(Resource.table.plural)
        writer.array { writer in
            for part in elements where !part.bytes.isEmpty { writer.elements(part) }
        }
    }
}
