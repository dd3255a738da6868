import APISchema
import AccessPolicy
import NetworkModel
import Store

/// What rules asked of what resources belong to, each read once in a transaction that only reads: thousands of ports are on a few networks.
final class ParentValues {
    /// Parents that are read by one statement.
    fileprivate static let pageSize = 512

    fileprivate struct Key: Hashable {
        var table: String
        var id: ResourceID
        var field: String
    }

    /// Nil: the parent has no such field, or there is none.
    fileprivate var known: [Key: JSONValue?] = [:]

    var count: Int { known.count }
}

extension Verb {
    /// A field of the parent with an id; nil when there is no such parent or field.
    func value(of field: String, ofParent parent: PolicyParent, _ id: ResourceID) throws -> JSONValue? {
        guard let parentValues else { return try parent.value(self, id, field) }
        let key = ParentValues.Key(table: parent.table, id: id, field: field)
        if let known = parentValues.known[key] { return known }
        let value = try parent.value(self, id, field)
        parentValues.known.updateValue(value, forKey: key)
        return value
    }

    /// Reads together what the checks will ask of what some resources belong to, instead of one by one.
    func readParents<R: ManagedResource>(of resources: [R], askedBy checks: [PolicyCheck]) throws {
        guard let parentValues, resources.count > 1 else { return }
        for field in Set(checks.flatMap(\.targetFields)) {
            guard let (parent, name) = R.policyParent(of: field), let column = R.table.columns.first(where: { $0.name == parent.column })
            else { continue }
            let ids = Array(Set(resources.compactMap { column.value($0).id }))
            for start in stride(from: 0, to: ids.count, by: ParentValues.pageSize) {
                let page = ids[start..<min(start + ParentValues.pageSize, ids.count)]
                let values = try parent.values(self, Array(page), name)
                for id in page {
                    parentValues.known.updateValue(values[id], forKey: ParentValues.Key(table: parent.table, id: id, field: name))
                }
            }
        }
    }
}
