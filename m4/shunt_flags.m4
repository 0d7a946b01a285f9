dnl SPDX-License-Identifier: MIT

dnl SHUNT_CFLAGS_ADD(VARIABLE, FLAGS): adds to VARIABLE those of the FLAGS that the compiler takes without a word.
AC_DEFUN([SHUNT_CFLAGS_ADD], [m4_foreach_w([shunt_flag], [$2], [SHUNT_CFLAG_ADD_ONE([$1], m4_defn([shunt_flag]))])])

AC_DEFUN([SHUNT_CFLAG_ADD_ONE], [
	AS_VAR_PUSHDEF([shunt_cache], [shunt_cv_cflag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [shunt_cache], [
		shunt_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([shunt_cache], [yes])],
				  [AS_VAR_SET([shunt_cache], [no])])
		CFLAGS=$shunt_saved_CFLAGS
	])
	AS_VAR_IF([shunt_cache], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([shunt_cache])
])

dnl SHUNT_LDFLAGS_ADD(VARIABLE, FLAGS): likewise for flags of the linking compiler; each is tried on a whole program.
AC_DEFUN([SHUNT_LDFLAGS_ADD], [m4_foreach_w([shunt_flag], [$2], [SHUNT_LDFLAG_ADD_ONE([$1], m4_defn([shunt_flag]))])])

AC_DEFUN([SHUNT_LDFLAG_ADD_ONE], [
	AS_VAR_PUSHDEF([shunt_cache], [shunt_cv_ldflag_$2])
	AC_CACHE_CHECK([whether $CC links with $2], [shunt_cache], [
		shunt_saved_CFLAGS=$CFLAGS
		shunt_saved_LDFLAGS=$LDFLAGS
		CFLAGS="$CFLAGS -Werror $PIE_CFLAGS"
		LDFLAGS="$LDFLAGS $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([shunt_cache], [yes])],
			       [AS_VAR_SET([shunt_cache], [no])])
		CFLAGS=$shunt_saved_CFLAGS
		LDFLAGS=$shunt_saved_LDFLAGS
	])
	AS_VAR_IF([shunt_cache], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([shunt_cache])
])
