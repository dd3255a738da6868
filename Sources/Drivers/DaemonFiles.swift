import KernelInterface

/// What is on disk about daemons: their records below `daemons/` in the state directory, and the files that are theirs.
struct DaemonFiles: Sendable {
    let host: any ProcessHost
    let directory: String

    init(host: any ProcessHost, stateDirectory: String) {
        self.host = host
        directory = stateDirectory + "/daemons"
    }

    private func path(of key: String) -> String { directory + "/" + DaemonRecord.fileName(for: key) }

    func record(of key: String) throws(KernelError) -> DaemonRecord? {
        try host.readFile(path(of: key)).flatMap(DaemonRecord.init)
    }

    func write(_ record: DaemonRecord) throws(KernelError) {
        try host.writeFile(path(of: record.key), record.text)
    }

    /// The records of all daemons but those with the keys.
    func records(without keys: some Sequence<String>) throws(KernelError) -> [DaemonRecord] {
        let kept = Set(keys.map(DaemonRecord.fileName))
        var records: [DaemonRecord] = []
        for name in try host.listDirectory(directory).sorted() where !kept.contains(name) {
            if let record = try host.readFile(directory + "/" + name).flatMap(DaemonRecord.init) { records.append(record) }
        }
        return records
    }

    /// The id in the process id file, if that process is alive and ours. Ids are reused: only what it is proves it.
    func running(_ record: DaemonRecord) throws(KernelError) -> Int32? {
        guard let text = try host.readFile(record.processIDFile), let id = Int32(text.filter { !$0.isWhitespace }), id > 1,
            let process = host.process(id: id), record.isOf(process)
        else { return nil }
        return id
    }

    /// Removes everything that is known of a daemon: its files first, its record last.
    func forget(_ record: DaemonRecord) throws(KernelError) {
        for path in record.files.keys.sorted() + record.namedPipes + [record.processIDFile] { try host.removeFile(path) }
        // What it wrote itself: leases, logs.
        if let directory = record.directory { try host.removeFile(directory) }
        try host.removeFile(path(of: record.key))
    }
}
