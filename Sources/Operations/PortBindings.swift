import APISchema
import AccessPolicy
import NetworkModel
import Store

// Bindings of one port to several hosts (`binding-extended`), as Nova drives a live migration: it makes an inactive binding to the destination,
// waits until the destination has wired the device, and activates the binding when the instance has moved.

extension Operations {
    /// The bindings of a port that the query picks, the active one first.
    public func bindings(ofPort id: String, _ query: ListQuery = ListQuery(), caller: Caller) async throws -> [PortBinding] {
        try await read(caller) { verb in
            let port = try verb.visible(Port.self, id)
            guard try verb.allows("get_port_binding", port) else { return [] }
            return try port.checkedInstance().bindings.filter { binding in
                query.filters.allSatisfy { binding.passes($0) }
                    && (query.computed["status"] ?? [binding.status]).contains(binding.status)
            }
        }
    }

    /// One binding of a port.
    public func binding(ofPort id: String, to hostID: String, caller: Caller) async throws -> PortBinding {
        try await read(caller) { verb in
            let port = try verb.visible(Port.self, id)
            guard try verb.allows("get_port_binding", port) else { throw APIError.portBindingNotFound(port.id, hostID) }
            return try port.checkedInstance().binding(to: hostID)
        }
    }

    /// Binds a port to one more host: inactive, unless it is the first.
    public func createBinding(
        ofPort id: String, _ request: ResourceRequest<PortBinding>, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> PortBinding {
        try await write(caller) { verb in
            let port = try verb.bindingPort(id, "create_port_binding", request, isCreation: true)
            try ifMatch?.check(port)
            return try verb.createBinding(of: port, request)
        }
    }

    /// Changes a binding, and decides it anew when its host or its kind of device changed.
    public func updateBinding(
        ofPort id: String, to hostID: String, _ request: ResourceRequest<PortBinding>, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> PortBinding {
        try await write(caller) { verb in
            let port = try verb.bindingPort(id, "update_port_binding", request)
            try ifMatch?.check(port)
            return try verb.updateBinding(of: port, to: hostID, request)
        }
    }

    /// Takes a binding away. Without its active binding a port is unbound.
    public func deleteBinding(
        ofPort id: String, to hostID: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws {
        try await write(caller) { verb in
            let current = try verb.bindingPort(id, "delete_port_binding")
            try ifMatch?.check(current)
            var port = current
            let binding = try port.binding(to: hostID)
            port.replace(binding, with: nil)
            try verb.saveBindings(of: &port, was: current, isRebound: binding.isActive)
        }
    }

    /// Moves a port to the host of an inactive binding; the binding that was active becomes inactive and unbound.
    public func activateBinding(
        ofPort id: String, to hostID: String, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> PortBinding {
        try await write(caller) { verb in
            let port = try verb.bindingPort(id, "activate")
            try ifMatch?.check(port)
            return try verb.activateBinding(of: port, to: hostID)
        }
    }
}

extension Verb {
    /// Bindings of one port: one host runs the instance, and an administrator may prepare a few others.
    private static let maximumBindings = 16

    /// The port, if it is an instance's and the caller may see it and do that.
    fileprivate func bindingPort(_ id: String, _ rule: String) throws -> Port {
        try authorized(Port.self, id, to: rule).checkedInstance()
    }

    /// The same for what a request asks for, with its attributes.
    fileprivate func bindingPort(
        _ id: String, _ rule: String, _ request: ResourceRequest<PortBinding>, isCreation: Bool = false
    ) throws -> Port {
        let port = try visible(Port.self, id)
        // The project is the port's, whatever a request says.
        let given = request.values.filter { $0.key != "project_id" }
        try authorizePart(rule, request, isCreation: isCreation, on: ResourceTarget(verb: self, resource: port, given: given))
        return try port.checkedInstance()
    }

    fileprivate func createBinding(of current: Port, _ request: ResourceRequest<PortBinding>) throws -> PortBinding {
        var port = current
        var binding = PortBinding(hostID: "")
        try assign(request, to: &binding)
        guard !binding.hostID.isEmpty else { throw APIError.invalidAttribute("host", "'' is not a host") }
        guard !port.bindings.contains(where: { $0.hostID == binding.hostID }) else {
            throw APIError.portBindingAlreadyExists(port.id, binding.hostID)
        }
        guard port.bindings.count < Self.maximumBindings else {
            throw APIError.badRequest("port", "Port \(port.id) has \(Self.maximumBindings) bindings already")
        }
        try decide(&binding, of: port)
        binding.isActive = port.hostID.isEmpty
        if binding.isActive { port.activeBinding = binding } else { port.inactiveBindings.append(binding) }
        try saveBindings(of: &port, was: current, isRebound: binding.isActive)
        return binding
    }

    fileprivate func updateBinding(of current: Port, to hostID: String, _ request: ResourceRequest<PortBinding>) throws -> PortBinding {
        var port = current
        let old = try port.binding(to: hostID)
        var binding = old
        try assign(request, to: &binding)
        let isRebound = binding.hostID != old.hostID || binding.vnicType != old.vnicType
        if isRebound {
            guard binding.hostID == old.hostID || !port.bindings.contains(where: { $0.hostID == binding.hostID }) else {
                throw APIError.portBindingAlreadyExists(port.id, binding.hostID)
            }
            binding.isWired = false
            try decide(&binding, of: port)
        }
        port.replace(old, with: binding)
        try saveBindings(of: &port, was: current, isRebound: isRebound && old.isActive)
        return binding
    }

    fileprivate func activateBinding(of current: Port, to hostID: String) throws -> PortBinding {
        var port = current
        guard port.hostID != hostID else { throw APIError.portBindingAlreadyActive(port.id, hostID) }
        let inactive = try port.binding(to: hostID)
        var binding = inactive
        try decide(&binding, of: port)
        binding.isActive = true
        binding.isWired = false
        port.replace(inactive, with: nil)
        if var former = port.activeBinding {
            former.isActive = false
            former.vifType = VIFType.unbound
            port.inactiveBindings.append(former)
        }
        port.activeBinding = binding
        try saveBindings(of: &port, was: current, isRebound: true)
        return binding
    }

    /// Nova counts on a binding that it was given: one that its host could not realise is refused.
    private func decide(_ binding: inout PortBinding, of port: Port) throws {
        binding.vifType = try vifType(of: binding.vnicType, on: binding.hostID, existing(Network.self, port.networkID))
        guard binding.vifType != VIFType.failed else { throw APIError.portBindingError(port.id, binding.hostID) }
    }

    private func assign(_ request: ResourceRequest<PortBinding>, to binding: inout PortBinding) throws {
        try request.assign(to: &binding)
        guard let profile = request["profile"] else { return }
        guard profile.isNull || profile.objectValue != nil else {
            throw APIError.invalidAttribute("profile", "'\(profile.pythonText)' is not a dictionary")
        }
        binding.profile = profile.isNull ? "{}" : profile.text
    }

    fileprivate func saveBindings(of port: inout Port, was current: Port, isRebound: Bool) throws {
        if port.hostID != current.hostID {
            try settleAddresses(of: &port, was: current, subnets(of: existing(Network.self, port.networkID)), isAsked: false)
        }
        if isRebound { try block(&port, isNew: false) }
        try save(&port)
    }
}

extension Operations {
    /// Which attributes of each of a port's bindings an answer has.
    public func selections(
        of bindings: [PortBinding], ofPort id: String, fields: Set<String> = [], caller: Caller
    ) async throws -> [AttributeSelection] {
        try await selections(of: bindings, called: "port_binding", fields: fields, caller: caller) { verb, binding in
            let values = PortBinding.table.attributes.map { ($0.name, binding.policyValue(of: $0.name)) }
            let given = Dictionary(uniqueKeysWithValues: values).compactMapValues { $0 }
            return ResourceTarget(verb: verb, resource: try verb.visible(Port.self, id), given: given)
        }
    }
}

extension Port {
    private static let computePrefix = "compute:"

    /// Itself, if it is an instance's: others have no bindings of their own.
    fileprivate func checkedInstance() throws(APIError) -> Port {
        guard deviceOwner.hasPrefix(Self.computePrefix) else {
            throw .badRequest("port", "Invalid port \(id). Operation only valid on compute ports")
        }
        return self
    }

    fileprivate func binding(to hostID: String) throws(APIError) -> PortBinding {
        guard let binding = bindings.first(where: { $0.hostID == hostID }) else { throw .portBindingNotFound(id, hostID) }
        return binding
    }

    fileprivate mutating func replace(_ old: PortBinding, with new: PortBinding?) {
        guard !old.isActive else {
            activeBinding = new
            return
        }
        let position = inactiveBindings.firstIndex(of: old) ?? inactiveBindings.endIndex
        inactiveBindings.removeAll { $0.hostID == old.hostID }
        if let new { inactiveBindings.insert(new, at: min(position, inactiveBindings.endIndex)) }
    }
}

extension PortBinding {
    fileprivate var status: String { isActive ? "ACTIVE" : "INACTIVE" }

    fileprivate func passes(_ filter: ListQuery.Filter) -> Bool {
        guard case .column(let name, let values) = filter, let column = Self.table.columns.first(where: { $0.name == name }) else {
            return true
        }
        return values.contains(column.value(self))
    }
}

extension APIError {
    static func portBindingNotFound(_ portID: ResourceID, _ hostID: String) -> APIError {
        notFound("PortBindingNotFound", "Binding for port \(portID) for host \(hostID) could not be found.")
    }

    static func portBindingAlreadyExists(_ portID: ResourceID, _ hostID: String) -> APIError {
        conflict("PortBindingAlreadyExists", "Binding for port \(portID) on host \(hostID) already exists.")
    }

    static func portBindingAlreadyActive(_ portID: ResourceID, _ hostID: String) -> APIError {
        conflict("PortBindingAlreadyActive", "Binding for port \(portID) on host \(hostID) is already active.")
    }

    /// Neutron forgets to say that this is the client's error and answers 500: the host that the request names cannot bind such a port. Not 409,
    /// which Nova takes for a binding that is active already.
    static func portBindingError(_ portID: ResourceID, _ hostID: String) -> APIError {
        invalid("PortBindingError", "Binding for port \(portID) on host \(hostID) could not be created or updated.")
    }
}
