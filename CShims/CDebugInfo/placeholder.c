typedef int placeholder_is_not_empty;
