/* SPDX-License-Identifier: MIT */
#include "amqp/cursor.h"

#include "exact.h"

#include "../unit.h"

static void write_all_types(struct amqp_writer *writer)
{
	amqp_put_octet(writer, 0xfe);
	amqp_put_short(writer, 0x0102);
	amqp_put_long(writer, 0x03040506);
	amqp_put_longlong(writer, UINT64_C(0x0708090a0b0c0d0e));
	amqp_put_shortstr(writer, SLICE_LITERAL("abc"));
	amqp_put_longstr(writer, SLICE_LITERAL("defg"));
	amqp_put_bytes(writer, SLICE_LITERAL("hi"));
}

static const uint8_t all_types[] = {
	0xfe, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
	3,    'a',  'b',  'c',	0,    0,    0,	  4,	'd',  'e',  'f',  'g',	'h',  'i',
};

static void write_is_big_endian(void)
{
	uint8_t bytes[sizeof(all_types)];
	struct amqp_writer writer;

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	write_all_types(&writer);
	CU_ASSERT_FALSE(writer.failed);
	CU_ASSERT_EQUAL(amqp_writer_left(&writer), 0);
	CU_ASSERT_EQUAL(memcmp(bytes, all_types, sizeof(bytes)), 0);
}

static bool read_all_types(struct amqp_reader *reader)
{
	bool is_same = true;

	is_same &= amqp_get_octet(reader) == 0xfe;
	is_same &= amqp_get_short(reader) == 0x0102;
	is_same &= amqp_get_long(reader) == 0x03040506;
	is_same &= amqp_get_longlong(reader) == UINT64_C(0x0708090a0b0c0d0e);
	is_same &= slice_equal(amqp_get_shortstr(reader), SLICE_LITERAL("abc"));
	is_same &= slice_equal(amqp_get_longstr(reader), SLICE_LITERAL("defg"));
	is_same &= slice_equal(amqp_get_bytes(reader, 2), SLICE_LITERAL("hi"));
	return is_same;
}

static void read_gives_what_was_written(void)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, slice_make(all_types, sizeof(all_types)));
	CU_ASSERT_TRUE(read_all_types(&reader));
	CU_ASSERT_TRUE(amqp_reader_is_done(&reader));
}

static void every_prefix_fails_the_reader(void)
{
	struct amqp_reader reader;
	struct slice copy;
	size_t size;

	for (size = 0; size < sizeof(all_types); size++) {
		copy = exact_copy(slice_make(all_types, sizeof(all_types)), size);
		amqp_reader_init(&reader, copy);
		(void)read_all_types(&reader);
		CU_ASSERT_TRUE(reader.failed);
		CU_ASSERT_FALSE(amqp_reader_is_done(&reader));
		exact_free(copy);
	}
}

static void every_lack_of_room_fails_the_writer(void)
{
	struct amqp_writer writer;
	uint8_t *bytes;
	size_t size;

	for (size = 0; size < sizeof(all_types); size++) {
		bytes = malloc(size);
		amqp_writer_init(&writer, bytes, size);
		write_all_types(&writer);
		CU_ASSERT_TRUE(writer.failed);
		free(bytes);
	}
}

static void failed_reader_gives_nothing_more(void)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, SLICE_LITERAL("\0\1x"));
	CU_ASSERT_EQUAL(amqp_get_long(&reader), 0);
	CU_ASSERT_TRUE(reader.failed);
	CU_ASSERT_EQUAL(amqp_get_octet(&reader), 0);
	CU_ASSERT_EQUAL(amqp_get_shortstr(&reader).size, 0);
	CU_ASSERT_EQUAL(amqp_reader_left(&reader), 0);
}

static void claimed_length_beyond_the_end_fails(void)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, SLICE_LITERAL("\xff\xff\xff\xff"
						"abc"));
	CU_ASSERT_EQUAL(amqp_get_longstr(&reader).size, 0);
	CU_ASSERT_TRUE(reader.failed);
	amqp_reader_init(&reader, SLICE_LITERAL("\x04"
						"abc"));
	CU_ASSERT_EQUAL(amqp_get_shortstr(&reader).size, 0);
	CU_ASSERT_TRUE(reader.failed);
}

static void shortstr_above_255_fails_the_writer(void)
{
	uint8_t text[256] = {0};
	uint8_t bytes[512];
	struct amqp_writer writer;

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_put_shortstr(&writer, slice_make(text, 255));
	CU_ASSERT_FALSE(writer.failed);
	CU_ASSERT_EQUAL(writer.p - bytes, 256);
	amqp_put_shortstr(&writer, slice_make(text, 256));
	CU_ASSERT_TRUE(writer.failed);
	amqp_put_octet(&writer, 1);
	CU_ASSERT_EQUAL(writer.p - bytes, 256);
}

static void null_and_empty_are_fine(void)
{
	struct amqp_reader reader;
	struct amqp_writer writer;

	amqp_reader_init(&reader, SLICE_EMPTY);
	CU_ASSERT_TRUE(amqp_reader_is_done(&reader));
	CU_ASSERT_EQUAL(amqp_get_bytes(&reader, 0).size, 0);
	CU_ASSERT_FALSE(reader.failed);
	amqp_writer_init(&writer, NULL, 0);
	amqp_put_bytes(&writer, SLICE_EMPTY);
	CU_ASSERT_FALSE(writer.failed);
	amqp_put_octet(&writer, 1);
	CU_ASSERT_TRUE(writer.failed);
}

static void utf8_accepts_what_is_well_formed(void)
{
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_EMPTY));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("a longer plain name, of more than 8 bytes")));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("\xc2\x80 \xdf\xbf")));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80")));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("1234567\xc3\xa9"
						  "1234567\xe2\x82\xac")));
	CU_ASSERT_TRUE(amqp_is_utf8(SLICE_LITERAL("nul \0 is one")));
}

static void utf8_refuses_what_is_not(void)
{
	static const char *const wrong[] = {
		"\x80",			 /* a continuation on its own */
		"\xc0\xaf",		 /* overlong */
		"\xc1\xbf",		 /* overlong */
		"\xe0\x9f\xbf",		 /* overlong */
		"\xf0\x8f\xbf\xbf",	 /* overlong */
		"\xed\xa0\x80",		 /* surrogate */
		"\xf4\x90\x80\x80",	 /* above U+10FFFF */
		"\xf5\x80\x80\x80",	 /* above U+10FFFF */
		"\xff",			 /* never */
		"abcdefgh\xc3",		 /* cut */
		"\xe2\x82",		 /* cut */
		"\xf0\x90\x80",		 /* cut */
		"\xc3\x28",		 /* no continuation */
		"\xe2\x82\x28",		 /* no continuation */
		"\xf0\x90\x80\x28 tail", /* no continuation */
	};
	struct slice copy;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		copy = exact_copy(slice_cstr(wrong[i]), strlen(wrong[i]));
		CU_ASSERT_FALSE(amqp_is_utf8(copy));
		exact_free(copy);
	}
}

static void utf8_length_tells_the_first_character(void)
{
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_EMPTY), 0);
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_LITERAL("ab")), 1);
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_LITERAL("\xc3\xa9x")), 2);
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_LITERAL("\xe2\x82\xacx")), 3);
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_LITERAL("\xf0\x9f\x98\x80x")), 4);
	CU_ASSERT_EQUAL(amqp_utf8_length(SLICE_LITERAL("\xff")), 0);
}

UNIT_MAIN("amqp/cursor", UNIT_TEST(write_is_big_endian), UNIT_TEST(read_gives_what_was_written),
	  UNIT_TEST(every_prefix_fails_the_reader), UNIT_TEST(every_lack_of_room_fails_the_writer),
	  UNIT_TEST(failed_reader_gives_nothing_more),
	  UNIT_TEST(claimed_length_beyond_the_end_fails),
	  UNIT_TEST(shortstr_above_255_fails_the_writer), UNIT_TEST(null_and_empty_are_fine),
	  UNIT_TEST(utf8_accepts_what_is_well_formed), UNIT_TEST(utf8_refuses_what_is_not),
	  UNIT_TEST(utf8_length_tells_the_first_character))
