//! Work for a compiler, in Bash: what packages of the lab lack.

/// Shell text that compiles so many files of some hundred functions, one after another, in the
/// current folder. It needs to be in a function.
pub(crate) fn compile(files: u32) -> String {
    COMPILE.replace("FILES", &files.to_string())
}

const COMPILE: &str = r#"
	local file function
	for file in {1..FILES}; do
		for function in {1..300}; do
			echo "int f_${file}_${function}(int a, int b) { int c = ${function}; while (a-- > b) c += a * b ^ c; return c; }"
		done > "${file}.c"
		gcc ${CFLAGS} -c "${file}.c" || die
	done
"#;
