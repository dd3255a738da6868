import APISchema
import Hummingbird
import NetworkModel

/// How bodies hold resources: one under its singular name, several under the plural one.
extension ResourceTable {
    /// More resources than this are not created in one request.
    static var maximumBulkCount: Int { 1000 }

    /// The one resource of a body.
    func object(in body: [String: JSONValue]) throws(APIError) -> [String: JSONValue] {
        guard let members = body[singular]?.objectValue else { throw refusal }
        return members
    }

    /// The resources of a body that holds several; nil for one that holds one, or none.
    func objects(in body: [String: JSONValue]) throws(APIError) -> [[String: JSONValue]]? {
        guard let many = body[plural], singular != plural || many.objectValue == nil else { return nil }
        guard let elements = many.arrayValue, !elements.isEmpty, elements.count <= Self.maximumBulkCount else {
            throw .badRequest("Resources required: a list of 1 to \(Self.maximumBulkCount)")
        }
        var objects: [[String: JSONValue]] = []
        for element in elements {
            guard let members = element.objectValue else { throw refusal }
            // Each may be wrapped as a single one is: {"ports": [{"port": {…}}]}.
            guard let wrapped = members[singular] else {
                objects.append(members)
                continue
            }
            guard let inner = wrapped.objectValue else { throw refusal }
            objects.append(inner)
        }
        return objects
    }

    private var refusal: APIError { .badRequest("Unable to find '\(singular)' in request body") }
}
