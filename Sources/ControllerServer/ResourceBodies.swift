import APISchema
import Hummingbird
import NetworkModel

/// How bodies hold resources: one under its singular name, several under the plural one.
extension ResourceTable {
    /// More resources than this are not created in one request.
    static var maximumBulkCount: Int { 1000 }

    /// The one resource of a body.
    func object(in body: [String: JSONValue]) throws(APIError) -> [String: JSONValue] {
        guard let value = body[singular], !value.isNull else { throw .badRequest("Unable to find '\(singular)' in request body") }
        guard let members = value.objectValue else { throw noObject }
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
            guard let members = element.objectValue else { throw noObject }
            // Each may be wrapped as a single one is: {"ports": [{"port": {…}}]}.
            objects.append(try members.keys.contains(singular) ? object(in: members) : members)
        }
        return objects
    }

    private var noObject: APIError { .badRequest("Object '\(singular)' contains invalid data") }
}
