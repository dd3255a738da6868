import Glibc

/// Small files of a lab.
enum Files {
    static let limitBytes = 16 * 1024 * 1024

    /// Nil when the file cannot be read.
    static func read(_ path: String, limit: Int = limitBytes) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while contents.count <= limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return contents }
            guard count > 0 || errno == EINTR else { return nil }
            contents += chunk.prefix(max(count, 0))
        }
        return nil
    }

    /// Writes beside the file and renames, so that no reader sees half of it.
    static func write(_ path: String, _ text: String) throws(LabError) {
        let fresh = "\(path).new"
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("write \(fresh)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, rename(fresh, path) == 0 else { throw failure("write \(path)") }
    }

    /// Makes the directory and those above it.
    static func makeDirectory(_ path: String) throws(LabError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw failure("make \(path)") }
        try makeDirectory(String(path[..<slash]))
        if mkdir(path, 0o755) != 0 && errno != EEXIST { throw failure("make \(path)") }
    }

    static func list(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file, or a directory with everything in it; follows no links.
    static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        guard errno == EISDIR || errno == EPERM else { return }
        for name in list(path) { remove("\(path)/\(name)") }
        rmdir(path)
    }

    /// The path without links; nil when there is no such file.
    static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The last lines of a log, for a message about what went wrong.
    static func tail(_ path: String, lines: Int = 8) -> String {
        guard let contents = read(path) else { return "" }
        return String(decoding: contents, as: UTF8.self).split(separator: "\n").suffix(lines).map { "\n    \($0)" }.joined()
    }

    static func failure(_ action: String) -> LabError { LabError("Cannot \(action): \(String(cString: strerror(errno))).") }
}
