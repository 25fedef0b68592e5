"""Aliyun (Alibaba Cloud) SMS: approved templates, up to 100 numbers a call. Its SDK is imported here alone."""
