import APISchema
import AccessPolicy
import NetworkModel
import Store

/// Which attributes of some resources an answer has: those that the request names, without those that the caller may not see.
public struct ShownAttributes: Sendable {
    let common: AttributeSelection
    /// Of resources with others, where a rule depends on the resource.
    var others: [ResourceID: AttributeSelection] = [:]

    public subscript(id: ResourceID) -> AttributeSelection { others.isEmpty ? common : others[id] ?? common }
}

extension Operations {
    /// Decides once for all resources of an answer, and for each only where a rule needs it.
    ///
    /// - Parameters:
    ///   - fields: the names that the request wants; empty: all.
    ///   - areNew: whether the caller just made them. Who may make something need not see it.
    public func shownAttributes<R: ManagedResource>(
        of resources: [R], fields: Set<String> = [], areNew: Bool = false, caller: Caller
    ) async throws -> ShownAttributes {
        let rules = policy.rules(for: caller)
        let areSeen = !areNew || (rules.seesOwn(R.policyName) && resources.allSatisfy { $0.belongs(to: caller) })
        let open = OpenSelection(
            of: R.self, fields: fields, areSeen ? rules.hiddenAttributes(of: R.policyName) : rules.guardedAttributes(of: R.policyName))
        guard !open.asked.isEmpty, !resources.isEmpty else { return ShownAttributes(common: open.common) }
        return try await read(caller) { verb in
            var shown = ShownAttributes(common: open.common)
            try verb.readParents(of: resources, askedBy: open.asked.map(\.check))
            for resource in resources {
                let selection = try open.selection(for: verb.caller, on: ResourceTarget(verb: verb, resource: resource))
                if selection != open.common { shown.others[resource.id] = selection }
            }
            return shown
        }
    }

    /// The same of parts, which rules know by what they are parts of. There are few, and who sees one need not see another: every rule of an
    /// attribute is asked.
    ///
    /// - Parameters:
    ///   - name: how rules call a part.
    ///   - target: what they are asked about.
    func selections<Part: APIResource, Target: PolicyTarget>(
        of parts: [Part], called name: String, fields: Set<String>, caller: Caller,
        target: @escaping @Sendable (Verb, Part) throws -> Target
    ) async throws -> [AttributeSelection] {
        let open = OpenSelection(of: Part.self, fields: fields, policy.rules(for: caller).guardedAttributes(of: name))
        guard !open.asked.isEmpty, !parts.isEmpty else { return parts.map { _ in open.common } }
        return try await read(caller) { verb in
            try parts.map { part in try open.selection(for: verb.caller, on: target(verb, part)) }
        }
    }
}

/// The attributes of an answer as far as they are the same for all its rows, and what is to be asked of each.
private struct OpenSelection {
    private(set) var common: AttributeSelection
    private(set) var asked: [(position: Int, check: PolicyCheck)] = []

    /// - Parameter guarded: what is left of the rules of attributes.
    init<R: APIResource>(of type: R.Type, fields: Set<String>, _ guarded: [String: PolicyCheck]) {
        common = R.table.selection(fields: fields)
        for (name, check) in guarded {
            guard let position = R.table.positions[name], common.contains(position) else { continue }
            if check == .never { common.remove(position) } else { asked.append((position, check)) }
        }
    }

    func selection<Target: PolicyTarget>(for caller: Caller, on target: Target) throws -> AttributeSelection {
        var selection = common
        for (position, check) in asked where try !check.holds(for: caller, on: target) { selection.remove(position) }
        return selection
    }
}

extension ManagedResource {
    fileprivate func belongs(to caller: Caller) -> Bool {
        !caller.projectID.isEmpty && policyValue(of: "project_id") == .string(caller.projectID)
    }
}
