import APISchema
import AccessPolicy
import NetworkModel
import Store

// Who may do what. A resource that the caller may not see is not there: 404. What the caller sees and may not change is refused: 403.

extension ManagedResource {
    /// Whether the caller sees the resource, in lists and by its id.
    public func isVisible(in verb: Verb) throws -> Bool { try verb.allows("get_\(Self.policyName)", self) }
}

extension Verb {
    /// Whether the rule allows the caller what it is about.
    func allows<R: ManagedResource>(_ rule: String, _ resource: R) throws -> Bool {
        try policy[rule].holds(for: caller, on: ResourceTarget(verb: self, resource: resource))
    }

    /// Whether the rule, which is about nothing in particular, allows it.
    func allows(_ rule: String) throws -> Bool { try policy[rule].holds(for: caller, on: NoTarget()) }

    /// Throws 403 unless all rules of the action allow it.
    func authorize<Target: PolicyTarget>(_ action: PolicyAction, on target: Target) throws {
        guard !policy.profile.isUnrestricted else { return }
        for rule in action.ruleNames {
            guard try policy[rule].holds(for: caller, on: target) else { throw policy.refusal(action) }
        }
    }

    func authorize<R: ManagedResource>(_ action: PolicyAction, of resource: R) throws {
        try authorize(action, on: ResourceTarget(verb: self, resource: resource))
    }

    /// Throws 403 unless the rule, which is about nothing in particular, allows it.
    func authorize(_ rule: String) throws { try authorize(PolicyAction(rule), on: NoTarget()) }

    /// The resource with an id, if the caller sees it and may do something with it: 404 or 403 otherwise.
    func authorized<R: ManagedResource>(
        _ type: R.Type, _ id: String, to rule: String, ifMatch: RevisionConstraint? = nil
    ) throws -> R {
        let resource = try visible(R.self, id)
        try authorize(PolicyAction(rule), of: resource)
        try ifMatch?.check(resource)
        return resource
    }

    // MARK: Requests

    /// Throws unless the caller may make what the request asks for.
    ///
    /// - Parameter parentID: what the path names before it; nil where a resource stands by itself.
    func authorizeCreation<R: ManagedResource>(_ request: ResourceRequest<R>, under parentID: ResourceID? = nil) throws {
        guard !policy.profile.isUnrestricted else { return }
        let rule = "create_\(R.policyName)"
        // Before the project, which a token of another scope has none of.
        guard !policy.isOutOfScope(rule) else { throw policy.refusal(PolicyAction(rule)) }
        try checkProject(of: request)
        let action = action(rule, request, isCreation: true)
        var given = request.values
        if R.table["project_id"] != nil, given["project_id"] == nil { given["project_id"] = .string(caller.projectID) }
        if let parentID, let parent = R.policyParents.first(where: { $0.name == parentName }) {
            given[parent.column] = .string(parentID.description)
        }
        do {
            try authorize(action, on: ResourceTarget<R>(verb: self, given: given))
        } catch {
            // Of a network of somebody else nothing is told, not even that it is there.
            for parent in R.policyParents {
                if let id = given[parent.column]?.stringValue { try parent.checkVisible(self, id) }
            }
            throw error
        }
    }

    /// Throws unless the caller may change the resource as the request asks for.
    func authorizeUpdate<R: ManagedResource>(_ resource: R, _ request: ResourceRequest<R>) throws {
        guard !policy.profile.isUnrestricted else { return }
        let action = action("update_\(R.policyName)", request, isCreation: false)
        do {
            try authorize(action, on: ResourceTarget(verb: self, resource: resource, given: request.values))
        } catch {
            guard !R.isSharedToUpdates else { throw error }
            let unshared = ResourceTarget(verb: self, resource: resource, given: ["shared": false])
            guard try policy["get_\(R.policyName)"].holds(for: caller, on: unshared) else { throw APIError.pathNotFound }
            throw error
        }
    }

    /// Throws unless the caller may make or change a part of something as the request asks for. Neutron knows no rules for attributes of parts; those
    /// of an operator's file are asked.
    func authorizePart<R: APIResource, Target: PolicyTarget>(
        _ rule: String, _ request: ResourceRequest<R>, isCreation: Bool, on target: Target
    ) throws {
        guard !policy.profile.isUnrestricted else { return }
        try authorize(action(rule, request, isCreation: isCreation, asksGuarded: false), on: target)
    }

    /// Who is neither administrator nor a service makes things for its own project only.
    private func checkProject<R: ManagedResource>(of request: ResourceRequest<R>) throws {
        let named = request.values["project_id"]?.stringValue
        // Of no project: a token without a scope, or of a domain. Its resources would belong to nobody.
        if R.table["project_id"] != nil, caller.projectID.isEmpty, named == nil {
            throw APIError.badRequest("Running without keystone AuthN requires that tenant_id is specified")
        }
        guard let project = named, project != caller.projectID, !caller.isAdmin,
            policy[Self.serviceRule] != .always
        else { return }
        throw APIError.badRequest(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges")
    }

    private static let serviceRule = "service_api"

    /// The operation and the attributes with rules of their own that the request names. As in Neutron, the default value of an attribute
    /// asks for nothing when something is made.
    ///
    /// - Parameter asksGuarded: whether `default` decides of attributes that Neutron guards and that have no rule.
    private func action<R: APIResource>(
        _ rule: String, _ request: ResourceRequest<R>, isCreation: Bool, asksGuarded: Bool = true
    ) -> PolicyAction {
        var attributes: [PolicyAction.Attribute] = []
        // In the table's order, but without a look at each of its attributes: requests name few.
        for position in request.givenNames.compactMap({ R.table.positions[$0] }).sorted() {
            let attribute = R.table.attributes[position]
            let name = "\(rule):\(attribute.name)"
            guard (asksGuarded && attribute.access.contains(.guarded)) || policy.existing(name) != nil, let value = request[attribute.name]
            else { continue }
            guard !attribute.access.contains(.unasked) || policy.isOverridden(name) else { continue }
            guard !isCreation || value != attribute.defaultValue else { continue }
            attributes.append(PolicyAction.Attribute(attribute.name, parts: policy.hasParts(name) ? Self.parts(of: value) : []))
        }
        return PolicyAction(rule, attributes: attributes)
    }

    /// Names of the members of an object, or of the objects of a list.
    static func parts(of value: JSONValue) -> [String] {
        switch value {
        case .object(let members): members.keys.sorted()
        case .array(let elements): Set(elements.flatMap { $0.objectValue.map { Array($0.keys) } ?? [] }).sorted()
        default: []
        }
    }
}
