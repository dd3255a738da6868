import APISchema
import AccessPolicy
import NetworkModel

/// What a list must not tell of attributes that the caller does not see: neither which resources have a value nor in which order.
struct HiddenAttributes {
    /// Whether the query filters by an attribute that the caller sees of no resource: nothing matches.
    var areFilteredBy = false
    /// What is left of the rules of attributes that the query filters by, and that the caller sees of some resources: others do not match.
    var asked: [PolicyCheck] = []
    /// The columns of all that the caller does not see of every resource: it does not sort.
    var columns: Set<String> = []

    init<R: ManagedResource>(of type: R.Type, in query: ListQuery, _ policy: CallerRules) {
        guard !query.filteredAttributes.isEmpty || !query.sortKeys.isEmpty else { return }
        for (name, check) in policy.hiddenAttributes(of: R.policyName) {
            if let column = R.table[name]?.column?.name { columns.insert(column) }
            guard query.filteredAttributes.contains(name) else { continue }
            if check == .never { areFilteredBy = true } else { asked.append(check) }
        }
    }

    /// Whether the caller sees of the resource what the query filters by.
    func areSeen<R: ManagedResource>(of resource: R, in verb: Verb) throws -> Bool {
        let target = ResourceTarget(verb: verb, resource: resource)
        return try asked.allSatisfy { try $0.holds(for: verb.caller, on: target) }
    }
}
